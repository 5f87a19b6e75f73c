"""What is said between agents and server: everything a sampler can produce goes through, nothing hostile does."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memwatch.records import BigContainer, MemorySnapshot
from memwatch.records.flight import Death, Flight, JobRun, TypeSize
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.transport.wire import (
    MAX_COMMAND_BYTES,
    MAX_REPORT_BYTES,
    MAX_TEXT,
    Answer,
    Command,
    RecordingPart,
    Report,
    WireError,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "a key"


def snapshot(**figures: Any) -> MemorySnapshot:
    return MemorySnapshot(timestamp=NOW, **figures)


def report(**fields: Any) -> Report:
    process = ProcessInfo(host="web1", pid=4711, started_at=NOW - timedelta(hours=1), nonce="9f8a", service="web")
    return Report(**{"process": process, "sent_at": NOW, "lease_s": 180.0, **fields})


def death() -> Death:
    flight = Flight(
        key="web1:4711:1.000:9f8a", service="web", host="web1", pid=4711, started_at=NOW, written_at=NOW,
        state="leaving", ending="time_limit", running=(JobRun("view", "shop:näme", 5.0, None, 30.0),),
        recent=(JobRun("task", "shop.sync", 1.0, 2.5),), rss_seconds=((7.0, 100.5),), rss_mb=1.0, limit_mb=2.0,
        limit_source="cgroup", container_mb=3.0, container_limit_mb=4.0, oom_kills=1, oom_group_kills=0,
        growers=(("dict", 5000),), summary=(TypeSize("dict", 5, 1.5), TypeSize("list", 2)), summary_at=NOW,
        time_limit_s=30.0,
    )  # fmt: skip
    return Death(
        key=flight.key, noticed_at=NOW, status=-9, status_from="pidfd", oom_kills=2, oom_group_kills=0,
        kernel_line="Killed process 4711", kernel_log=True, flight=flight,
    )  # fmt: skip


def full_report() -> Report:
    figures = snapshot(
        heap_size_mb=100.0, heap_limit_source="cgroup", heap_used_mb=120.5, heap_free_mb=-20.5, heap_percent=120.5,
        total_objects=12345, top_objects={"dict": 3, "shop.Näme😀": 2}, backfill={"x": 0}, type_sizes={"dict": 232},
        big_containers=(BigContainer(type="list", length=5000, holds="bytes", token=2**63, name="B", entry_bytes=3.5),),
        gc_count=(1, 2, 3), gc_threshold=(700, 10, 10), threads=3, allocated_blocks=10**9,
    )  # fmt: skip
    return report(
        process=ProcessInfo(
            host="web1", pid=1, started_at=NOW, nonce="n", service="web", program="p", command_line="c", parent_pid=0,
            release="r", python="3.11", agent="0.1", extension_modules=("numpy", "lxml"),
            census_method="native walk", cpu_budget_percent=0.5,
            allocator_settings={"MALLOC_ARENA_MAX": "2", "LD_PRELOAD": "libjemalloc.so.2"},
            resource={"service.name": "shop", "service.namespace": "acmé"},
        ),
        snapshots=((0, figures), (7, snapshot())),
        answers=(Answer(command="c", state="done", detail="d", snapshot_seq=7), Answer(command="c", state="failed")),
        outside=(
            OutsideProcess(pid=2, started_at=NOW, program="m", command_line="", rss_mb=1.5, vms_mb=2.0, timestamp=NOW),
        ),
        recordings=(
            RecordingPart(recording="0123456789abcdef", state="running"),
            RecordingPart(
                recording="0123456789abcdef", state="done", part=1, parts=2, content="AAAA",
                content_type="application/json", measured={"cpu_ms": 1.5},
            ),
        ),
        dropped=1, failures=2, refused_commands=3, goodbye=True, ending="recycled", deaths=(death(),), oom=(3, 1),
    )  # fmt: skip


def spoilt(*path: str | int, value: Any) -> bytes:
    """A good report with one value replaced."""
    whole = json.loads(full_report().encode())
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(whole).encode()


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in texts_of(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_of(item)]
    return []


def test_a_report_comes_back_as_it_was() -> None:
    assert Report.decode(full_report().encode()) == full_report()
    assert Report.decode(report().encode()) == report()


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b"NaN", b"Infinity"])
def test_no_number_beyond_a_double_enters_anywhere(number: bytes) -> None:
    with pytest.raises(WireError, match="not JSON"):
        Report.decode(spoilt("process", "colour", value=12345).replace(b"12345}", number + b"}"))


def test_an_older_agent_does_not_send_what_a_newer_one_counts_of_its_process() -> None:
    names = {"cpu_user_s", "cpu_system_s", "open_files", "voluntary_switches", "involuntary_switches"}
    value = json.loads(report(snapshots=((1, snapshot(cpu_user_s=4.254321, open_files=17, page_faults=21)),)).encode())
    figures = value["snapshots"][0][1]
    assert (figures["cpu_user_s"], figures["open_files"]) == (4.254321, 17)
    value["snapshots"][0][1] = {name: each for name, each in figures.items() if name not in names}
    ((_seq, arrived),) = Report.decode(json.dumps(value).encode()).snapshots
    assert {getattr(arrived, name) for name in names} == {None}
    assert arrived.page_faults == 21


def test_unknown_fields_are_ignored_so_that_versions_can_mix() -> None:
    assert Report.decode(spoilt("colour", value={"a": [1]})) == full_report()
    assert Report.decode(spoilt("snapshots", 0, 1, "colour", value="\ud800")) == full_report()


def test_what_is_null_is_not_measured() -> None:
    decoded = Report.decode(spoilt("snapshots", 0, 1, "tracemalloc_peak_mb", value=None))
    assert decoded.snapshots[0][1].tracemalloc_peak_mb == 0.0
    assert Report.decode(spoilt("snapshots", 0, 1, "total_objects", value=None)).snapshots[0][1].total_objects is None


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("shop.\udce4", r"shop.\udce4"),
        ("a\x00b", r"a\x00b"),
        ("line\nbreak\x1b[31m", r"line\nbreak\x1b[31m"),
        ("Mön😀", "Mön😀"),
        ("", ""),
    ],
)
def test_odd_names_arrive_in_a_form_that_databases_store(name: str, stored: str) -> None:
    process = ProcessInfo(host=name or "h", pid=1, started_at=NOW, nonce="n", service=name, command_line=name)
    sent = report(
        process=process,
        snapshots=((1, snapshot(top_objects={name: 3})),),
        answers=(Answer(command=name, state="done", detail=name),),
    )
    for payload in (sent.encode(), spoilt("snapshots", 0, 1, "top_objects", value={name: 3})):
        assert list((Report.decode(payload).snapshots[0][1].top_objects or {}).items()) == [(stored, 3)]
    decoded = Report.decode(sent.encode())
    assert decoded.process.command_line == decoded.answers[0].detail == stored
    assert decoded.process.service == (stored or "unknown")


def test_long_texts_are_cut_and_not_refused() -> None:
    long = "x" * 5000
    sent = report(
        snapshots=((1, snapshot(top_objects={long: 3, "\ud800" * 299: 1})),),
        answers=(Answer(command="c", state="done", detail=long),),
    )
    decoded = Report.decode(sent.encode())
    assert all(len(text) <= MAX_TEXT for text in texts_of(dataclasses.asdict(decoded.answers[0])))
    assert {len(name) for name in decoded.snapshots[0][1].top_objects or {}} == {MAX_TEXT}
    names = (
        Report.decode(spoilt("snapshots", 0, 1, "top_objects", value={long: 2, long + "y": 3}))
        .snapshots[0][1]
        .top_objects
    )
    assert names == {"x" * (MAX_TEXT - 1) + "…": 5}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_figures_that_json_cannot_say_are_left_out(odd: float) -> None:
    decoded = Report.decode(report(snapshots=((1, snapshot(rss_mb=odd, vms_mb=2.0)),)).encode())
    assert decoded.snapshots == ((1, snapshot(vms_mb=2.0)),)


def test_only_known_settings_of_allocators_are_taken() -> None:
    sent = {"MALLOC_ARENA_MAX": "2", "SECRET_KEY": "4711", "PYTHONMALLOC": "<script>", "LD_PRELOAD": "a" * 101}
    found = Report.decode(spoilt("process", "allocator_settings", value=sent)).process
    assert found.allocator_settings == {"MALLOC_ARENA_MAX": "2"}
    assert Report.decode(report().encode()).process.allocator_settings is None, "of an older agent"


def test_only_attributes_of_a_resource_are_taken_and_long_ones_are_cut() -> None:
    sent = {"service.name": "shop", "no name": "x", "empty": "", "long": "x" * 1000, "odd": "a\x00b"}
    found = Report.decode(spoilt("process", "resource", value=sent)).process.resource
    assert found == {"service.name": "shop", "long": "x" * 255, "odd": "a\\x00b"}
    assert Report.decode(report().encode()).process.resource == {}, "of an older agent"


def test_a_lease_is_kept_within_bounds() -> None:
    assert Report.decode(report(lease_s=1e9).encode()).lease_s == 7 * 86400
    assert Report.decode(report(lease_s=0.1).encode()).lease_s == 1


def test_times_arrive_in_utc() -> None:
    east = timezone(timedelta(hours=14))
    decoded = Report.decode(report(sent_at=NOW.astimezone(east)).encode())
    assert decoded.sent_at == NOW
    assert decoded.sent_at.tzinfo is UTC


def test_an_oversized_report_is_refused_on_both_sides() -> None:
    big = report(snapshots=((1, snapshot(top_objects={f"{n}{'x' * 290}": n for n in range(5000)})),))
    with pytest.raises(WireError, match="limit") as caught:
        big.encode()
    assert caught.value.reason == "oversized"
    with pytest.raises(WireError) as caught:
        Report.decode(b" " * (MAX_REPORT_BYTES + 1))
    assert caught.value.reason == "oversized"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"null", "malformed"),
        (b"[]", "malformed"),
        (b"NaN", "malformed"),
        (b'{"v": NaN}', "malformed"),
        (b"[" * 500_000, "malformed"),
        (b'{"a":' * 100_000, "malformed"),
        (b'{"v": ' + b"1" * 5000 + b"}", "malformed"),
        (b"{}", "version"),
        (b'{"v": 2}', "version"),
        (b'{"v": true}', "version"),
        (b'{"v": 1.0}', "version"),
        (b'{"v": "1"}', "version"),
        (b'{"v": ' + b"1" * 4000 + b"}", "version"),
        (b'{"v": 1}', "malformed"),
        (b'{"v": 1, "process": []}', "malformed"),
        (json.dumps({"v": 1}).encode("utf-16"), "malformed"),
    ],
)
def test_what_is_no_report_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        Report.decode(payload)
    assert caught.value.reason == reason
    assert len(str(caught.value)) <= MAX_TEXT


FIGURES = ("snapshots", 0, 1)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("process", "pid"), [True, -1, 1.5, 2**31, 10**4000, "1", None, [], {}]),
        (("process", "parent_pid"), [True, -1, 2**40]),
        (("process", "host"), [None, 1, [], {}]),
        (
            ("process", "started_at"),
            [
                None,
                0,
                "yesterday",
                "2026-01-01T00:00:00",
                "9999-12-31T23:59:59-23:59",
                "0001-01-01T00:00:00+23:59",
                "2" * 500,
            ],
        ),
        (("process", "extension_modules"), ["numpy", {"a": 1}, [1], 1]),
        (("process", "census_method"), [1, ["native walk"], {}]),
        (("process", "cpu_budget_percent"), ["0.5", -1, 101, True]),
        (("process", "allocator_settings"), ["x", 1, [["MALLOC_ARENA_MAX", "2"]], {"MALLOC_ARENA_MAX": 2}]),
        (("process", "allocator_settings"), [{"a": None}, {f"n{number}": "1" for number in range(25)}]),
        (("process", "resource"), ["x", 1, [["a", "b"]], {"a": 1}, {"a": None}, {f"n{at}": "1" for at in range(41)}]),
        (("process",), [None, [], "x", 1]),
        (("sent_at",), [None, 1e9, "2300-01-01T00:00:00+00:00", "1969-01-01T00:00:00+00:00", "\ud800"]),
        (("lease_s",), [None, 0, -1, True, 1e300, 10**400, "60"]),
        (
            ("snapshots",),
            [
                {},
                "ab",
                1,
                [1],
                [[1]],
                [[1, {}, 2]],
                [["1", {}]],
                [[True, {}]],
                [[-1, {}]],
                ["ab"],
                [None],
                [[1, None]],
                [[0, []]],
                [[0, {}]] * 101,
            ],
        ),
        ((*FIGURES, "timestamp"), [None, 0, "", "2026-01-01"]),
        ((*FIGURES, "rss_mb"), [True, -1, "1", [], 1e16, 10**400]),
        ((*FIGURES, "heap_free_mb"), ["1", -1e16]),
        ((*FIGURES, "total_objects"), [True, -1, 1.0, 10**16, 10**400, "1"]),
        ((*FIGURES, "threads"), [2**31, -1]),
        (
            (*FIGURES, "top_objects"),
            [[], "x", {"a": -1}, {"a": True}, {"a": 1.5}, {"a": None}, {"a": {}}, {f"t{n}": 1 for n in range(501)}],
        ),
        ((*FIGURES, "gc_count"), [[1, 2], [1, 2, 3, 4], [1, 2, True], [1, 2, -3], "123", {"a": 1}]),
        ((*FIGURES, "heap_limit_source"), [1, [], True]),
        (
            (*FIGURES, "big_containers"),
            [
                {},
                "x",
                [1],
                [None],
                [[]],
                [{}],
                [{"type": "list"}],
                [{"type": 1, "length": 1}],
                [{"type": "list", "length": -1}],
                [{"type": "list", "length": 1, "token": 2**65}],
                [{"type": "list", "length": 1, "entry_bytes": "x"}],
                [{"type": "list", "length": 1}] * 501,
            ],
        ),
        (
            ("answers",),
            [
                {},
                "x",
                [1],
                [[]],
                [{}],
                [{"command": "c", "state": None}],
                [{"command": "c", "state": "done", "snapshot_seq": -1}],
            ],
        ),
        (("outside",), [[{}], [1], [{"pid": 1}]]),
        (("dropped",), [-1, True, 1.5, None, "1"]),
    ],
)
def test_values_of_a_wrong_kind_or_size_are_refused(path: tuple[str | int, ...], wrong: list[Any]) -> None:
    for value in wrong:
        with pytest.raises(WireError) as caught:
            Report.decode(spoilt(*path, value=value))
        assert caught.value.reason == "malformed", value
        assert len(str(caught.value)) <= MAX_TEXT
        str(caught.value).encode()


texts = st.text(st.characters(exclude_categories=()), max_size=400)
counts = st.dictionaries(texts, st.integers(0, 10**12), max_size=5)
floats = st.none() | st.floats(0, 9e11) | st.sampled_from([float("nan"), float("inf")])
times = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))]),
)
snapshots = st.builds(
    MemorySnapshot, timestamp=times, rss_mb=floats, heap_free_mb=floats, heap_limit_source=st.none() | texts,
    top_objects=st.none() | counts, backfill=counts, type_sizes=counts,
    total_objects=st.none() | st.integers(0, 10**15),
    gc_count=st.none() | st.tuples(*[st.integers(0, 10**9)] * 3),
    big_containers=st.none() | st.tuples(st.builds(
        BigContainer, type=texts, length=st.integers(0, 10**12), holds=st.none() | texts, name=st.none() | texts,
        token=st.none() | st.integers(0, 2**64 - 1), entry_bytes=floats,
    )),
)  # fmt: skip
reports = st.builds(
    Report,
    process=st.builds(
        ProcessInfo, host=texts, pid=st.integers(0, 2**31 - 1), started_at=times, nonce=texts, service=texts,
        program=texts, command_line=texts, parent_pid=st.none() | st.integers(0, 2**31 - 1), release=texts,
        extension_modules=st.lists(texts, max_size=3).map(tuple),
    ),
    sent_at=times, lease_s=st.floats(0, 1e12), dropped=st.integers(0, 10**12), goodbye=st.booleans(),
    snapshots=st.lists(st.tuples(st.integers(0, 10**15), snapshots), max_size=3).map(tuple),
    answers=st.lists(st.builds(Answer, command=texts, state=texts, detail=texts), max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=150)
@given(reports)
def test_whatever_a_sampler_produces_goes_through_and_can_be_stored(sent: Report) -> None:
    decoded = Report.decode(sent.encode())
    assert [seq for seq, _ in decoded.snapshots] == [seq for seq, _ in sent.snapshots]
    assert [each.timestamp for _, each in decoded.snapshots] == [each.timestamp for _, each in sent.snapshots]
    assert decoded.process.pid == sent.process.pid
    for text in texts_of(dataclasses.asdict(decoded)):
        assert "\0" not in text
        assert len(text) <= MAX_TEXT
        text.encode()
    assert Report.decode(decoded.encode()) == decoded


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts
    | st.sampled_from([10**400, -1, "2026-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", 1e308]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
PLACES: list[tuple[str | int, ...]] = [
    *[(name,) for name in json.loads(full_report().encode())],
    *[("process", name) for name in json.loads(full_report().encode())["process"]],
    *[(*FIGURES, field.name) for field in dataclasses.fields(MemorySnapshot)],
    *[(*FIGURES, "big_containers", 0, field.name) for field in dataclasses.fields(BigContainer)],
    *[("answers", 0, field.name) for field in dataclasses.fields(Answer)],
    *[("outside", 0, field.name) for field in dataclasses.fields(OutsideProcess)],
    *[("recordings", 1, field.name) for field in dataclasses.fields(RecordingPart)],
    ("snapshots", 0, 0), ("snapshots", 0, 1), (*FIGURES, "top_objects", "dict"),
]  # fmt: skip


@settings(max_examples=600)
@given(st.sampled_from(PLACES), json_values)
def test_hostile_values_are_refused_or_taken_but_never_crash(place: tuple[str | int, ...], value: Any) -> None:
    try:
        decoded = Report.decode(spoilt(*place, value=value))
    except WireError as error:
        str(error).encode()
        return
    for text in texts_of(dataclasses.asdict(decoded)):
        text.encode()
        assert "\0" not in text
    json.dumps([each.to_dict() for _, each in decoded.snapshots], allow_nan=False)
    assert decoded.process.key


@settings(max_examples=300)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_refused_with_a_reason(payload: bytes) -> None:
    with pytest.raises(WireError):
        Report.decode(payload)
    with pytest.raises(WireError):
        Command.decode(payload, KEY, now=NOW)


def command() -> Command:
    return Command.make("snapshot", "web1:1:1.000:n", census=True)


def test_a_command_comes_back_as_it_was() -> None:
    sent = command()
    assert Command.decode(sent.encode(KEY), KEY, now=datetime.now(UTC)) == sent
    odd = Command.make("ping", "wéb:1:1.000:n")
    assert Command.decode(odd.encode("kéy\udcff"), "kéy\udcff", now=datetime.now(UTC)) == odd


def test_a_command_is_refused_unless_signed_with_the_key() -> None:
    payload = command().encode(KEY)
    value = json.loads(payload)
    for key in ("", "another"):
        with pytest.raises(WireError, match="COMMAND_KEY") as caught:
            Command.decode(payload, key, now=datetime.now(UTC))
        assert caught.value.reason == "unsigned"
    changed = [
        value | {"name": "ping"},
        value | {"sig": "é"},
        value | {"sig": None},
        value | {"sig": "\ud800"},
        value | {"new": 1},
    ]
    for forged in [*changed, {name: item for name, item in value.items() if name != "sig"}]:
        with pytest.raises(WireError) as caught:
            Command.decode(json.dumps(forged).encode(), KEY, now=datetime.now(UTC))
        assert caught.value.reason == "unsigned"


def test_a_command_with_several_signatures_is_for_whoever_has_one_of_the_keys() -> None:
    sent = command()
    payload = sent.encode(KEY, "of the service", "before")
    for held in ((KEY,), ("of the service",), ("before",), ("another", "before")):
        assert Command.decode(payload, *held, now=datetime.now(UTC)) == sent
    for held in ((), ("",), ("another",)):
        with pytest.raises(WireError) as caught:
            Command.decode(payload, *held, now=datetime.now(UTC))
        assert caught.value.reason == "unsigned"


def test_an_agent_that_knows_one_signature_finds_it_right() -> None:
    """As agents of earlier versions check it: over all but itself."""
    value = json.loads(command().encode(KEY, "of the service"))
    signature = value.pop("sig")
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert signature == hmac.new(KEY.encode(), text, hashlib.sha256).hexdigest()


def test_no_signature_of_one_command_does_for_another() -> None:
    value = json.loads(command().encode(KEY, "of the service"))
    other = json.loads(command().encode("mine", "mine too"))
    forged = [
        value | {"name": "ping"},
        value | {"nonce": other["nonce"]},
        other | {"also": value["also"]},
        other | {"also": [value["sig"]]},
        other | {"sig": value["sig"]},
        other | {"also": "".join(value["also"])},
        other | {"also": [["x"], None, 1]},
    ]
    for each in forged:
        for key in (KEY, "of the service"):
            with pytest.raises(WireError):
                Command.decode(json.dumps(each).encode(), key, now=datetime.now(UTC))


def signed(**changes: Any) -> bytes:
    body = {name: item for name, item in json.loads(command().encode(KEY)).items() if name != "sig"} | changes
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**body, "sig": hmac.new(KEY.encode(), text, hashlib.sha256).hexdigest()}).encode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "reboot"}, "unknown"),
        ({"name": 1}, "malformed"),
        ({"id": None}, "malformed"),
        ({"expires_at": "2020-01-01T00:00:00+00:00"}, "expired"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "malformed"),
        ({"expires_at": 1e10}, "malformed"),
        ({"arguments": [["a", 1]]}, "malformed"),
        ({"arguments": "x"}, "malformed"),
        ({"nonce": []}, "malformed"),
        ({"target": "a\nb"}, "malformed"),
        ({"v": 2}, "version"),
        ({"pad": "x" * MAX_COMMAND_BYTES}, "oversized"),
    ],
)
def test_a_signed_command_is_still_checked(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(WireError) as caught:
        Command.decode(signed(**changes), KEY, now=NOW)
    assert caught.value.reason == reason


def test_a_deeply_nested_command_is_refused() -> None:
    for depth in range(100, 8000, 150):
        payload = b'{"v": 1, "arguments": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(WireError):
            Command.decode(payload, KEY, now=NOW)


def test_only_known_commands_can_be_made() -> None:
    with pytest.raises(ValueError, match="ping, snapshot"):
        Command.make("reboot", "*")
