"""Which commands are obeyed."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest

from memwatch.agent.commands import MAX_NONCES, CensusLimit, Gate, Spokesman
from memwatch.transport.wire import Command, WireError

ME = "web1:4711:1.000:ab"


def at(seconds: float = 0.0) -> datetime:
    """So many seconds from now: commands are made with the clock's own time."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def refusal(gate: Gate, payload: bytes, *, seconds: float = 0.0) -> str:
    with pytest.raises(WireError) as caught:
        gate.admit(payload, target=ME, now=at(seconds))
    return caught.value.reason


def test_a_signed_command_for_this_process_is_obeyed_once() -> None:
    gate = Gate("key")
    command = Command.make("ping", ME)
    assert gate.admit(command.encode("key"), target=ME, now=at()) == command
    assert refusal(gate, command.encode("key")) == "repeated"
    assert gate.refused == 1


def test_a_command_for_everyone_is_obeyed() -> None:
    assert Gate("key").admit(Command.make("ping", "*").encode("key"), target=ME, now=at()).name == "ping"


def test_forged_unsigned_changed_expired_misdirected_and_long_lived_commands_are_refused() -> None:
    gate = Gate("key")
    right = Command.make("snapshot", ME)
    changed = json.loads(right.encode("key")) | {"name": "reset_baseline"}
    unsigned = json.loads(right.encode("key"))
    del unsigned["sig"]
    cases = {
        right.encode("another key"): "unsigned",
        json.dumps(unsigned).encode(): "unsigned",
        json.dumps(changed).encode(): "unsigned",
        b"\xff{": "malformed",
        b"[]": "malformed",
        Command.make("ping", "another process").encode("key"): "misdirected",
        Command.make("ping", ME, lifetime_s=86_400).encode("key"): "lifetime",
        dataclasses.replace(right, name="run_code").encode("key"): "unknown",
    }
    for payload, reason in cases.items():
        assert refusal(gate, payload) == reason
    assert refusal(gate, right.encode("key"), seconds=60) == "expired"
    assert gate.refused == len(cases) + 1
    assert gate.admit(right.encode("key"), target=ME, now=at()) == right, "refusals have used up nothing"


def test_an_agent_without_a_key_obeys_nobody() -> None:
    assert refusal(Gate(""), Command.make("ping", ME).encode("")) == "unsigned"


def test_the_memory_of_commands_is_bounded_and_full_of_those_that_could_be_repeated() -> None:
    gate = Gate("key")
    first = Command.make("ping", ME)
    gate.admit(first.encode("key"), target=ME, now=at())
    for _ in range(MAX_NONCES - 1):
        gate.admit(Command.make("ping", ME).encode("key"), target=ME, now=at())
    assert refusal(gate, Command.make("ping", ME).encode("key")) == "crowded"
    assert refusal(gate, first.encode("key")) == "repeated"
    later = at(60)
    fresh = Command.make("ping", ME, lifetime_s=120)
    assert gate.admit(fresh.encode("key"), target=ME, now=later) == fresh


def test_one_census_a_second_on_command() -> None:
    limit = CensusLimit()
    assert limit.wait_s(10.0) == 0
    limit.taken(10.0)
    assert limit.wait_s(10.4) == pytest.approx(0.6)
    assert limit.wait_s(11.0) == 0


def test_each_kind_of_trouble_is_said_once_in_ten_minutes() -> None:
    spokesman = Spokesman()
    assert spokesman.may_say("unsigned", 0)
    assert not spokesman.may_say("unsigned", 500)
    assert spokesman.may_say("expired", 500)
    assert spokesman.may_say("unsigned", 700)
