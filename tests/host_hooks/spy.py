"""Objects of a host whose every question to them is code of the host's, and is noted."""

from __future__ import annotations

from typing import Any

asked: list[str] = []
"""What was run."""


class Meta(type):
    """So that a question to the class is noted, too."""

    def __eq__(cls, other: object) -> bool:
        asked.append("class ==")
        return False

    def __hash__(cls) -> int:
        return id(cls)

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        asked.append("class module")
        return "billiard.pool"


class Spy(metaclass=Meta):
    """Answers nothing without noting it."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    @property
    def __class__(self) -> Any:
        asked.append("class")
        return Spy

    def __getattr__(self, name: str) -> Any:
        asked.append(f"attribute {name}")
        raise AttributeError(name)

    def __bool__(self) -> bool:
        asked.append("bool")
        return True

    def __eq__(self, other: object) -> bool:
        asked.append("==")
        return True

    def __ne__(self, other: object) -> bool:
        asked.append("!=")
        return False

    def __hash__(self) -> int:
        asked.append("hash")
        return 1

    def __str__(self) -> str:
        asked.append("str")
        return "gunicorn."

    def __int__(self) -> int:
        asked.append("int")
        return 1

    def __len__(self) -> int:
        asked.append("len")
        return 1

    def __call__(self, *_given: object) -> None:
        asked.append("call")


class Plain:
    """An object with attributes of its own, as a server's are."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


class SpyError(Exception):
    """An error of the host's."""

    @property
    def __class__(self) -> Any:
        asked.append("class")
        return SpyError


class SpyExit(BaseException):
    """No error, as ``SystemExit`` is none."""

    @property
    def __class__(self) -> Any:
        asked.append("class")
        return SpyError
