"""The doctor on flight records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memwatch.terminal import doctor_flights


@pytest.fixture(autouse=True)
def transport(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", f"local://{tmp_path}/mw")


def finding(settings: Any, **more: Any) -> tuple[bool | None, str]:
    settings.MEMWATCH = more
    (found,) = doctor_flights.records()
    return found.ok, f"{found.text} {found.remedy}"


def test_says_where_they_are_and_leaves_none(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_flights.platform, "release", lambda: "6.18.44-fc")
    assert finding(settings)[0] is True
    assert list((tmp_path / "mw" / "flights").iterdir()) == []


def test_an_old_kernel_wants_a_hook(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_flights.platform, "release", lambda: "6.1.0-18-amd64")
    ok, text = finding(settings)
    assert ok is None
    assert "from memwatch.gunicorn import child_exit" in text


def test_a_folder_that_cannot_be_used_is_named(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "mw").write_text("")
    ok, text = finding(settings)
    assert ok is False
    assert str(tmp_path / "mw") in text


def test_switched_off(settings: Any) -> None:
    assert finding(settings, FLIGHT_RECORDER=False)[0] is None
