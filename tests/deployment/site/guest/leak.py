"""A leak for recordings to find."""

import os
import threading
import time


class Leaked:
    """What is kept."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.payload = [number] * 20


LEAKED: list[Leaked] = []


def keep(objects: int) -> int:
    """Keep some more; how many there are."""
    LEAKED.extend(Leaked(number) for number in range(objects))
    return len(LEAKED)


def start(**_kwargs: object) -> None:
    """Leak all the time, in a thread, where a test wants it."""
    if os.environ.get("GUEST_LEAKS"):
        threading.Thread(target=_run, daemon=True).start()


def _run() -> None:
    while True:
        keep(20)
        time.sleep(0.02)
