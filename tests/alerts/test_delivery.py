"""Every channel on its own: one that fails or hangs costs the others nothing."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from memwatch.alerts.channels import Message
from memwatch.alerts.delivery import FAILURES, Limits, Parcel, deliver
from tests.waiting import until

LIMITS = Limits(call_s=20)


@dataclasses.dataclass
class Fake:
    name: str
    act: Callable[[Sequence[Message]], Any]
    at_once: int = 1

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        self.act(told)


def parcels(*ids: int) -> list[Parcel]:
    return [Parcel(number, {"id": number}) for number in ids]


def run(*channels: Fake, ids: Sequence[int] = (1, 2), limits: Limits = LIMITS) -> dict[tuple[str, int], str | None]:
    known = {channel.name: channel for channel in channels}
    found = deliver({name: parcels(*ids) for name in known}, known, limits=limits)
    return {(outcome.channel, outcome.id): outcome.error for outcome in found}


def test_messages_arrive_in_their_order() -> None:
    got: list[Any] = []
    assert run(Fake("a", lambda told: got.extend(item["id"] for item in told)), ids=(3, 1, 2)) == {
        ("a", 3): None, ("a", 1): None, ("a", 2): None,
    }  # fmt: skip
    assert got == [3, 1, 2]


def test_a_channel_that_takes_several_gets_several() -> None:
    got: list[int] = []
    run(Fake("a", lambda told: got.append(len(told)), at_once=2), ids=(1, 2, 3))
    assert got == [2, 1]


def test_a_channel_that_fails_is_told_of_and_left_alone_after_a_few_tries() -> None:
    tries: list[int] = []

    def fail(told: Sequence[Message]) -> None:
        tries.append(1)
        raise RuntimeError("no line\nsecond line")

    found = run(Fake("bad", fail), Fake("good", lambda told: None), ids=range(10))
    assert len(tries) == FAILURES
    assert found["bad", 0] == "RuntimeError: no line"
    assert [key for key in found if key[0] == "good"] == [("good", number) for number in range(10)]


def test_one_message_that_a_channel_cannot_take_does_not_stop_the_next() -> None:
    def picky(told: Sequence[Message]) -> None:
        if told[0]["id"] == 1:
            raise ValueError("not this one")

    assert run(Fake("picky", picky), ids=(1, 2)) == {("picky", 1): "ValueError: not this one", ("picky", 2): None}


def test_a_channel_that_hangs_holds_up_no_other_and_is_left_behind() -> None:
    ending = threading.Event()
    calls: list[int] = []

    def hang(told: Sequence[Message]) -> None:
        calls.append(1)
        ending.wait(60)

    found = run(Fake("hanging", hang), Fake("good beside", lambda told: None), limits=Limits(call_s=3))
    assert found["hanging", 1] == "no answer within 3 s"
    assert ("hanging", 2) not in found
    assert found["good beside", 2] is None
    again = run(Fake("hanging", hang))
    assert again == {("hanging", 1): "the channel still hangs in an earlier call"}
    assert calls == [1], "only one thread may be lost to a channel"
    ending.set()
    until(lambda: run(Fake("hanging", lambda told: None))["hanging", 1] is None)


def test_what_a_late_channel_says_after_all_is_not_heard_twice() -> None:
    ending = threading.Event()
    known = {
        "slow": Fake("slow", lambda told: ending.wait(60)),
        "steady": Fake("steady", lambda told: time.sleep(0.05)),
    }
    boxes = {"slow": parcels(0), "steady": parcels(*range(1, 60))}
    found = []
    for outcome in deliver(boxes, known, limits=Limits(call_s=1.0)):
        found.append((outcome.channel, outcome.error))
        if outcome.channel == "slow":
            ending.set()
    assert [item for item in found if item[0] == "slow"] == [("slow", "no answer within 1 s")]


def test_a_channel_with_much_to_take_ends_its_round_in_time() -> None:
    found = run(Fake("slow", lambda told: time.sleep(0.05)), ids=range(100), limits=Limits(call_s=20, round_s=0.2))
    assert 1 <= len(found) < 20
    assert set(found.values()) == {None}
