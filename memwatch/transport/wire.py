"""What agents and server say to each other: JSON objects with a version, checked field by field.

A *report* goes up: who the process is, its snapshots, the answers to commands, parts of recordings, what was dropped.
A *command* goes down, signed with HMAC-SHA256 over its canonical text, with an expiry and a nonce. Unknown fields are
ignored, so that two versions can be deployed side by side.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.records import MemorySnapshot
from memwatch.records.distributions import Distribution, Package
from memwatch.records.flight import Death
from memwatch.records.surroundings import Surroundings
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.transport import distributions as distributions_schema
from memwatch.transport import schema
from memwatch.transport import surroundings as surroundings_schema
from memwatch.transport.digests import equal, hmac_sha256, token_hex
from memwatch.transport.flights import checks as flight_checks
from memwatch.transport.recordings import RecordingPart, decode_part
from memwatch.transport.schema import (
    MAX_COMMAND_BYTES,
    MAX_REPORT_BYTES,
    MAX_SNAPSHOTS_PER_REPORT,
    MAX_TEXT,
    MAX_TYPES,
    WIRE_VERSION,
    WireError,
)
from memwatch.transport.snapshots import numbered_snapshot

__all__ = [
    "COMMANDS",
    "FOR_ONE",
    "MAX_COMMAND_BYTES",
    "MAX_REPORT_BYTES",
    "MAX_SNAPSHOTS_PER_REPORT",
    "MAX_TEXT",
    "MAX_TYPES",
    "WIRE_VERSION",
    "Answer",
    "Command",
    "RecordingPart",
    "Report",
    "WireError",
]

COMMANDS = ("ping", "snapshot", "reset_baseline", "record", "cancel_recording", "recycle")
"""What an agent may be asked to do; anything else is refused.

``record`` takes ``recording`` (the id to report it under, 16 hexadecimal digits), ``kind`` (of
``memwatch.diagnosis.KINDS``) and ``options`` (of that kind, all optional); ``cancel_recording`` takes ``recording``;
``recycle`` takes ``drain_s`` (seconds) and ``whole`` (whether a whole worker may be ended).
"""
MOST_SIGNATURES = 20
"""More of one command are not looked at."""
FOR_ONE = ("recycle",)
"""Commands that never go to every process at once."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a command."""

    command: str
    """The command's id."""
    state: str
    """``done``, ``refused`` (by a limit or a check) or ``failed``."""
    detail: str = ""
    snapshot_seq: int | None = None
    """The snapshot taken for it, where one was."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One message of an agent."""

    process: ProcessInfo
    sent_at: datetime
    lease_s: float
    """Seconds from now after which silence means that the process has died."""
    snapshots: tuple[tuple[int, MemorySnapshot], ...] = ()
    """``(seq, snapshot)``; seq rises by one a snapshot in a process's life."""
    answers: tuple[Answer, ...] = ()
    outside: tuple[OutsideProcess, ...] = ()
    recordings: tuple[RecordingPart, ...] = ()
    dropped: int = 0
    """Snapshots that the agent could not keep while the transport was away, since its start."""
    failures: int = 0
    """Samplings that failed since its start."""
    refused_commands: int = 0
    """Commands refused (unsigned, expired, repeated, unknown) since its start."""
    goodbye: bool = False
    """The process ends: no more will come."""
    ending: str = ""
    """With a goodbye: why, where it knows; one of ``memwatch.records.flight.ENDINGS``."""
    deaths: tuple[Death, ...] = ()
    """Ends of other processes that this one has noticed, at most ``MAX_DEATHS``."""
    oom: tuple[int, int] | None = None
    """Processes of its cgroup that the kernel has killed for lack of memory, and how often it killed all at once."""
    surroundings: Surroundings | None = None
    """Its container, where this process speaks for all in it."""
    distributions: tuple[Distribution, ...] | None = None
    """What it can import from: in one report of each process."""
    packages: tuple[Package, ...] | None = None
    """What it has imported: in the same report."""

    def encode(self) -> bytes:
        """The JSON bytes; :class:`WireError` when over ``MAX_REPORT_BYTES``, and never for what a figure or name is.

        What JSON cannot say of a figure (NaN, infinity) is left out; texts are cleaned as :func:`schema.clean` does.
        """
        value = {
            "v": WIRE_VERSION,
            "process": schema.sendable(dataclasses.asdict(self.process)),
            "sent_at": self.sent_at.isoformat(),
            "lease_s": min(max(self.lease_s, schema.MIN_LEASE_S), schema.MAX_LEASE_S),
            "snapshots": [[seq, schema.sendable(snapshot.to_dict())] for seq, snapshot in self.snapshots],
            "answers": [schema.sendable(dataclasses.asdict(answer)) for answer in self.answers],
            "outside": [schema.sendable(dataclasses.asdict(outside)) for outside in self.outside],
            "recordings": [part.to_wire() for part in self.recordings],
            "dropped": self.dropped,
            "failures": self.failures,
            "refused_commands": self.refused_commands,
            "goodbye": self.goodbye,
            "ending": self.ending,
            "deaths": [schema.sendable(death.to_dict()) for death in self.deaths],
            "oom": self.oom,
            "surroundings": None if self.surroundings is None else schema.sendable(self.surroundings.to_dict()),
            "distributions": schema.sendable(self.distributions),
            "packages": schema.sendable(self.packages),
        }
        payload = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        if len(payload) > MAX_REPORT_BYTES:
            raise WireError("oversized", f"report of {len(payload)} bytes, the limit is {MAX_REPORT_BYTES}")
        return payload

    @classmethod
    def decode(cls, payload: bytes) -> Report:
        """Check and build; :class:`WireError` with the reason otherwise, whatever the bytes are."""
        value = schema.load(payload, MAX_REPORT_BYTES)
        with schema.malformed("report"):
            return cls(
                process=schema.process(value["process"]),
                sent_at=schema.time("sent_at", value["sent_at"]),
                lease_s=schema.number("lease_s", value["lease_s"], low=schema.MIN_LEASE_S, high=schema.MAX_LEASE_S),
                snapshots=tuple(map(numbered_snapshot, schema.items(value, "snapshots"))),
                answers=tuple(map(_answer, schema.items(value, "answers"))),
                outside=tuple(map(schema.outside, schema.items(value, "outside"))),
                recordings=tuple(map(decode_part, schema.items(value, "recordings"))),
                dropped=schema.whole("dropped", value.get("dropped", 0)),
                failures=schema.whole("failures", value.get("failures", 0)),
                refused_commands=schema.whole("refused_commands", value.get("refused_commands", 0)),
                goodbye=value.get("goodbye") is True,
                ending=flight_checks.ending(value.get("ending")),
                deaths=flight_checks.deaths(value.get("deaths")),
                oom=flight_checks.oom_counters(value.get("oom")),
                surroundings=surroundings_schema.decode(value.get("surroundings")),
                distributions=distributions_schema.decode(value.get("distributions")),
                packages=distributions_schema.decode_packages(value.get("packages")),
            )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What one process is asked to do."""

    id: str
    name: str
    target: str
    """The process's key, or ``*`` for every process."""
    expires_at: datetime
    nonce: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def make(cls, name: str, target: str, *, lifetime_s: float = 30.0, **arguments: Any) -> Command:
        """A new command with an id and a nonce of its own."""
        if name not in COMMANDS:
            raise ValueError(f"unknown command {name!r}: one of {', '.join(COMMANDS)}")
        return cls(
            id=token_hex(8),
            name=name,
            target=target,
            expires_at=datetime.now(UTC) + timedelta(seconds=lifetime_s),
            nonce=token_hex(16),
            arguments=arguments,
        )

    def encode(self, key: str, *others: str) -> bytes:
        """The JSON bytes, signed with ``key`` and with the others: who has one of them obeys.

        Agents that know one signature only check that of ``key``, which signs the others too.
        """
        body = self._body()
        if others:
            body["also"] = [_sign(body, other) for other in others]
        return json.dumps({**body, "sig": _sign(body, key)}, separators=(",", ":")).encode()

    def _body(self) -> dict[str, Any]:
        return {
            "v": WIRE_VERSION,
            "id": self.id,
            "name": self.name,
            "target": self.target,
            "expires_at": self.expires_at.isoformat(),
            "nonce": self.nonce,
            "arguments": dict(self.arguments),
        }

    @classmethod
    def decode(cls, payload: bytes, *keys: str, now: datetime) -> Command:
        """Check the signature and the expiry, then the fields; :class:`WireError` with the reason otherwise.

        One of the signatures has to be of one of ``keys``.

        Reasons: ``oversized``, ``malformed``, ``version``, ``unsigned``, ``expired``, ``unknown``. That a nonce was
        seen before (``repeated``) is for the receiver to know.
        """
        value = schema.load(payload, MAX_COMMAND_BYTES)
        signature = value.pop("sig", None)
        with schema.malformed("command"):
            signed = _is_signed(value, [signature], keys)
            also = value.pop("also", [])
            signed = signed or _is_signed(value, schema.items({"also": also}, "also")[:MOST_SIGNATURES], keys)
        if not signed:
            raise WireError("unsigned", "command without a right signature: is COMMAND_KEY the same on both sides?")
        with schema.malformed("command"):
            command = cls(
                id=schema.text("id", value["id"]),
                name=schema.text("name", value["name"]),
                target=schema.text("target", value["target"], limit=1000),
                expires_at=schema.time("expires_at", value["expires_at"]),
                nonce=schema.text("nonce", value["nonce"]),
                arguments=dict(schema.mapping("arguments", value.get("arguments") or {})),
            )
        if command.expires_at <= now:
            raise WireError("expired", f"command {command.name} expired at {command.expires_at.isoformat()}")
        if command.name not in COMMANDS:
            raise WireError("unknown", f"command {command.name[:40]!r}: this agent knows {', '.join(COMMANDS)}")
        return command


def _is_signed(body: Mapping[str, Any], signatures: Sequence[object], keys: Sequence[str]) -> bool:
    right = [_bytes(_sign(body, key)) for key in keys if key]
    given = [_bytes(signature) for signature in signatures if isinstance(signature, str)]
    return any(equal(one, other) for one in given for other in right)


def _sign(body: Mapping[str, Any], key: str) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return hmac_sha256(_bytes(key), text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _answer(value: Any) -> Answer:
    value = schema.mapping("answer", value)
    seq = value.get("snapshot_seq")
    return Answer(
        command=schema.text("command", value["command"]),
        state=schema.text("state", value["state"]),
        detail=schema.text("detail", value.get("detail"), default=""),
        snapshot_seq=None if seq is None else schema.whole("snapshot_seq", seq),
    )
