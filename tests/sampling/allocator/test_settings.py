"""Of an environment only what allocators read, and never a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memwatch.sampling.allocator.settings import initial_environment, is_setting, settings_of

READ = (
    "import os, sys; os.environ.update(MALLOC_ARENA_MAX='7', MALLOC_TOP_PAD_='1')\n"
    "from memwatch.sampling.allocator.settings import allocator_settings; print(allocator_settings())"
)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, {}),
        ({"MALLOC_ARENA_MAX": "2", "PATH": "/bin", "SECRET_KEY": "4711"}, {"MALLOC_ARENA_MAX": "2"}),
        ({"MALLOC_TRIM_THRESHOLD_": "131072 "}, {}),
        ({"MALLOC_ARENA_MAX": "password"}, {}),
        ({"MALLOC_CONF": "prof:true,prof_prefix:/home/anna/secret"}, {}),
        ({"PYTHONMALLOC": "malloc"}, {"PYTHONMALLOC": "malloc"}),
        ({"PYTHONMALLOC": "hunter2"}, {}),
        ({"LD_PRELOAD": "/home/anna/lib/libjemalloc.so.2"}, {"LD_PRELOAD": "libjemalloc.so.2"}),
        ({"LD_PRELOAD": "/a/libone.so:/b/libtwo.so  libc.so"}, {"LD_PRELOAD": "libone.so, libtwo.so, libc.so"}),
        (
            {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2:glibc.cpu.x=1:glibc.malloc.tcache_count=0x10:a"},
            {"glibc.malloc.arena_max": "2", "glibc.malloc.tcache_count": "0x10"},
        ),
    ],
)
def test_only_settings_of_allocators_with_values_of_their_form(
    environment: dict[str, str], found: dict[str, str]
) -> None:
    assert settings_of(environment) == found
    assert all(is_setting(name, value) for name, value in found.items())


def test_what_the_program_sets_later_has_no_effect_and_is_not_reported() -> None:
    environment = {"MALLOC_ARENA_MAX": "2", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "{'MALLOC_ARENA_MAX': '2'}"


def test_a_process_that_wrote_its_title_over_its_environment_has_that_of_python(tmp_path: Path) -> None:
    written_over = tmp_path / "environ"
    written_over.write_bytes(b"gunicorn: worker [shop] --threads=2\0\0\0")
    assert initial_environment(written_over) is os.environ
    assert initial_environment(tmp_path / "none") is os.environ


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "1"),
        ("MALLOC_ARENA_MAX", "2\n3"),
        ("MALLOC_ARENA_MAX", "9" * 200),
        ("MALLOC_ARENA_MAX\n", "2"),
        ("LD_PRELOAD", "<script>"),
        ("glibc.malloc.x y", "1"),
    ],
)
def test_what_is_none_is_recognised(name: str, value: str) -> None:
    assert not is_setting(name, value)
