"""Which commands an agent obeys: signed, for this process, not expired, not seen before, not too often."""

from __future__ import annotations

from datetime import datetime, timedelta

from memwatch.transport.wire import FOR_ONE, Command, WireError

MAX_NONCES = 1_000
"""Remembered until they expire; when so many are alive at once, more commands are refused."""
MAX_LIFETIME = timedelta(hours=1)
"""A command valid for longer is refused: its nonce would have to be remembered for as long."""


class Gate:
    """Lets a command in once. Refusals raise :class:`WireError` with a stable reason and are counted."""

    def __init__(self, *keys: str) -> None:
        """``keys``: any of them may have signed a command; without one none is obeyed."""
        self._keys = keys
        self._seen: dict[str, datetime] = {}
        self.refused = 0

    def admit(self, payload: bytes, *, target: str, now: datetime) -> Command:
        """The command in ``payload``, for the process whose key is ``target``.

        Reasons beside those of :meth:`Command.decode`: ``misdirected``, ``lifetime``, ``repeated``, ``crowded``.
        """
        try:
            command = Command.decode(payload, *self._keys, now=now)
            self._check(command, target=target, now=now)
        except WireError:
            self.refused += 1
            raise
        self._seen[command.nonce] = command.expires_at
        return command

    def _check(self, command: Command, *, target: str, now: datetime) -> None:
        if command.target not in ((target,) if command.name in FOR_ONE else (target, "*")):
            raise WireError("misdirected", f"command {command.name} is for {command.target[:100]}, this is {target}")
        if command.expires_at > now + MAX_LIFETIME:
            raise WireError("lifetime", f"command {command.name} is valid until {command.expires_at.isoformat()}")
        if command.nonce in self._seen:
            raise WireError("repeated", f"command {command.name} was obeyed before")
        if len(self._seen) >= MAX_NONCES:
            self._seen = {nonce: expiry for nonce, expiry in self._seen.items() if expiry > now}
            if len(self._seen) >= MAX_NONCES:
                raise WireError("crowded", f"{MAX_NONCES} commands are being remembered against replay")


class CensusLimit:
    """At most one commanded census every ``every_s``: a flood of right commands must not stop the host either."""

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s = every_s
        self._last: float | None = None

    def wait_s(self, now: float) -> float:
        """Seconds until the next is allowed; 0 when it is."""
        return 0.0 if self._last is None else max(0.0, self._last + self._every_s - now)

    def taken(self, now: float) -> None:
        self._last = now


class Spokesman:
    """Says each kind of trouble once, then at most every ``every_s``: a host's log is not to be flooded."""

    def __init__(self, every_s: float = 600.0) -> None:
        self._every_s = every_s
        self._said: dict[str, float] = {}

    def may_say(self, kind: str, now: float) -> bool:
        last = self._said.get(kind)
        if last is not None and now - last < self._every_s:
            return False
        if len(self._said) > 100:
            self._said.clear()
        self._said[kind] = now
        return True
