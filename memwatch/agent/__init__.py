"""Lives in every watched process: samples it, reports, obeys commands. Needs neither Django nor Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwatch.agent.config import AgentConfig

if TYPE_CHECKING:
    from memwatch.agent.agent import Agent
    from memwatch.agent.lifecycle import current, start, stop

__all__ = ["Agent", "AgentConfig", "current", "start", "stop"]


def __getattr__(name: str) -> Any:
    """The rest on first use: the settings need :class:`AgentConfig` alone, also in processes that are not watched."""
    if name == "Agent":
        from memwatch.agent.agent import Agent  # noqa: PLC0415

        return Agent
    if name in __all__:
        from memwatch.agent import lifecycle  # noqa: PLC0415

        return getattr(lifecycle, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
