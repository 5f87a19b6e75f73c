"""What is to be done at the end, as functions."""

from collections.abc import Callable

CALLBACKS: list[Callable[[], tuple[int, str]]] = []


def on_close(path: str) -> None:
    """Registered with each request, never taken out."""
    visited = [path, path.upper(), path.title()]  # leak: closure

    def close() -> tuple[int, str]:  # leak: closure
        return len(visited), visited[0]

    CALLBACKS.append(close)  # leak: closure
