"""The forms of a profile, as other tools read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwatch.profiles.forms import FORMS
from memwatch.profiles.profile import MAX_FRAMES, MAX_TEXT, OTHER, Frame, Profile, Sample, added_up
from tests.profiles.reading import parsed, samples, total
from tests.servers import go

VIEW, QUOTE, ROWS = Frame("view", "/srv/shop/views.py", 40), Frame("quote", "/srv/shop/leaks.py", 27), Frame("rows")
PROFILE = Profile(
    samples=added_up([Sample((VIEW, QUOTE), 4_000, 512_000), Sample((VIEW,), 1, 300), Sample((VIEW, ROWS), 10, 9)]),
    name="allocation sites of web-1",
    time_s=1.8e9,
    duration_s=30.0,
    comments=("memwatch",),
)
FRAMES = st.builds(Frame, st.text(max_size=20), st.text(max_size=20), st.integers(-1, 2**40))
SAMPLES = st.lists(
    st.builds(
        Sample, st.lists(FRAMES, min_size=1, max_size=5).map(tuple), st.integers(0, 2**40), st.integers(0, 2**50)
    ),
    max_size=8,
)


def written(form: str, profile: Profile = PROFILE) -> bytes:
    return FORMS[form].write(profile)


def test_pprof_is_what_its_definition_says() -> None:
    content = written("pprof")
    found, texts = parsed(content), parsed(content).string_table
    assert [(texts[each.type], texts[each.unit]) for each in found.sample_type] == [
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ]
    assert texts[0] == ""
    assert texts[found.default_sample_type] == "inuse_space"
    assert (found.time_nanos, found.duration_nanos) == (1_800_000_000 * 10**9, 30 * 10**9)
    assert [texts[each] for each in found.comment] == ["memwatch"]
    assert found.mapping[0].has_functions
    assert {each.mapping_id for each in found.location} == {1}
    assert samples(content)[0] == (
        (("view", "/srv/shop/views.py", 40), ("quote", "/srv/shop/leaks.py", 27)),
        {"inuse_objects": 4_000, "inuse_space": 512_000},
    )
    assert total(content) == PROFILE.size == 512_309
    assert total(content, "inuse_objects") == 4_011


def test_the_same_profile_is_the_same_file() -> None:
    assert written("pprof") == written("pprof")


def test_speedscope_has_bytes_and_objects() -> None:
    content = json.loads(written("speedscope"))
    frames = content["shared"]["frames"]
    by_size, by_objects = content["profiles"]
    assert [frames[at]["name"] for at in by_size["samples"][0]] == ["view", "quote"]
    assert frames[by_size["samples"][0][1]] == {"name": "quote", "file": "/srv/shop/leaks.py", "line": 27}
    assert (by_size["unit"], sum(by_size["weights"]), by_size["endValue"]) == ("bytes", 512_309, 512_309)
    assert (by_objects["unit"], sum(by_objects["weights"])) == ("none", 4_011)


def test_collapsed_stacks_are_one_line_each() -> None:
    assert written("collapsed").decode().splitlines() == [
        "view (/srv/shop/views.py:40) 300",
        "view (/srv/shop/views.py:40);quote (/srv/shop/leaks.py:27) 512000",
        "view (/srv/shop/views.py:40);rows 9",
    ]


def test_hostile_names_break_no_form() -> None:
    name = 'a;b\n"c" \ud800 \x00 1'
    profile = Profile(samples=added_up([Sample((Frame(name, name, 1),), 1, 7)]), name=name, comments=(name,))
    (line,) = written("collapsed", profile).decode().splitlines()
    assert line.endswith(" 7")
    assert ";" not in line
    assert total(written("pprof", profile)) == 7
    assert json.loads(written("speedscope", profile))["profiles"][0]["weights"] == [7]


def test_what_is_over_a_limit_is_added_up_or_cut_never_lost() -> None:
    many = added_up([Sample((Frame(f"f{size}"),), 1, size) for size in range(1, 11)], most=4)
    assert [(each.stack[0].function, each.objects, each.size) for each in many] == [
        ("f10", 1, 10), ("f9", 1, 9), ("f8", 1, 8), ("f7", 1, 7), (OTHER, 6, 21),
    ]  # fmt: skip
    (deep,) = added_up([Sample((Frame("x" * 10_000),) * (MAX_FRAMES + 9), 1, 5)])
    assert (len(deep.stack), len(deep.stack[0].function), deep.size) == (MAX_FRAMES, MAX_TEXT, 5)


@settings(max_examples=60, deadline=None)
@given(SAMPLES)
def test_every_form_has_the_same_total(given_samples: list[Sample]) -> None:
    wanted = sum(each.size for each in given_samples)
    profile = Profile(samples=added_up(given_samples))
    assert profile.size == wanted
    assert total(written("pprof", profile)) == wanted
    assert sum(json.loads(written("speedscope", profile))["profiles"][0]["weights"]) == wanted
    lines = written("collapsed", profile).decode().splitlines()
    assert sum(int(line.rsplit(" ", 1)[1]) for line in lines) == wanted


def top(file: Path, *options: str) -> str:
    """What ``go tool pprof`` says of a file."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off"}
    done = subprocess.run(
        [go(), "tool", "pprof", "-top", *options, str(file)],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_go_tool_pprof_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "profile.pb.gz"
    file.write_bytes(written("pprof"))
    said = top(file, "-unit=B")
    assert "Total samples = 512309B" in said
    assert any(line.split()[0] == "512000B" and line.endswith(" quote") for line in said.splitlines()[4:])


def test_go_tool_pprof_finds_the_totals_of_a_heap_dump(tmp_path: Path) -> None:
    code = "from memwatch import dump_heap; held = [bytearray(5_000) for _ in range(400)]; dump_heap('web.heap')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    report = ("-m", "memwatch", "heap", "report", "web.heap", "--output")
    for arguments in (("-c", code), (*report, "web.pb.gz", "--format", "pprof"), (*report, "web", "--format", "json")):
        subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, timeout=120, check=True)
    about = json.loads((tmp_path / "web").read_text())["about"]
    said = top(tmp_path / "web.pb.gz", "-unit=B")
    assert f" of {about['reached_bytes']}B total" in said
    (largest,) = [line.split() for line in said.splitlines() if line.endswith(" bytearray")]
    assert int(largest[0].removesuffix("B")) > 1_000_000, "the others are among those that are added up"
    objects = top(tmp_path / "web.pb.gz", "-sample_index=inuse_objects")
    assert f" of {about['reached_objects']} total" in objects


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_profile_can_be_written(form: str) -> None:
    assert FORMS[form].write(Profile(samples=())) is not None
