"""The user of a request in a dict by thread, on a server with a thread for each connection.

Reported as Alir3z4/django-cuser#14: an entry stays unless the view deletes it.
"""

import threading

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="users by thread, and with them ended threads",
    leaks="objects",
    culprit=("threading.Thread", "*.User", "*.USERS", "threading.*", "dict"),
    source="https://github.com/Alir3z4/django-cuser/issues/14",
)
_traffic = Traffic(93)


class User:
    """Who asks."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rights = ["read", f"order {number}"]


USERS: dict[threading.Thread, User] = {}


def setup() -> None:
    pass


def _serve(number: int) -> None:
    USERS[threading.current_thread()] = User(number)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        thread = threading.Thread(target=_serve, args=(i,))
        thread.start()
        thread.join()
