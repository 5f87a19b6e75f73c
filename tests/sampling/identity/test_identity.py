"""Who this process is."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

from memwatch.sampling.identity import describe_process, extension_modules, own_arguments, start_method


def test_this_process_is_described() -> None:
    info = describe_process(service="web", host="host1", release="v7", nonce="abcd")
    assert (info.service, info.host, info.release, info.nonce) == ("web", "host1", "v7", "abcd")
    assert (info.pid, info.parent_pid) == (os.getpid(), os.getppid())
    assert abs(info.started_at.timestamp() - psutil.Process().create_time()) < 0.001
    assert info.started_at < datetime.now(UTC)
    assert info.key == f"host1:{os.getpid()}:{info.started_at.timestamp():.3f}:abcd"
    assert info.python == ".".join(map(str, sys.version_info[:3]))
    assert info.program
    assert len(info.command_line) <= 300


def test_the_service_is_guessed_where_none_is_given() -> None:
    code = (
        "import sys; sys.argv = ['/srv/bin/celery', '-A', 'shop', 'worker', '--password=x9']\n"
        "from memwatch.sampling.identity import describe_process\n"
        "i = describe_process(service=None, host='h', release='', nonce='n')\n"
        "print(i.service, '|', i.program, '|', i.command_line)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "worker | celery main | /srv/bin/celery -A shop worker --password=***"


def test_a_program_without_arguments_of_its_own_is_told_by_the_interpreters() -> None:
    code = "from memwatch.sampling.identity import own_arguments; print(own_arguments()[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "-c"
    assert own_arguments()


def test_packages_with_compiled_modules_are_the_candidates_for_native_growth(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 0 0:1 1 /v/lib/python3.11/site-packages/numpy/_core/_umath.cpython-311-x86_64-linux-gnu.so\n"
        "7f01-7f02 r--p 0 0:1 1 /v/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_.so\n"
        "7f02-7f03 r--p 0 0:1 1 /v/lib/python3.11/site-packages/_brotli.cpython-311-x86_64-linux-gnu.so\n"
        "7f03-7f04 r--p 0 0:1 1 /usr/lib/python3/dist-packages/psutil/_psutil_linux.abi3.so\n"
        "7f04-7f05 r--p 0 0:1 1 /usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so\n"
        "7f05-7f06 r--p 0 0:1 1 /usr/lib/x86_64-linux-gnu/libc.so.6\n"
        "7f06-7f07 rw-p 0 0:0 0 [heap]\n"
    )
    assert extension_modules(maps) == ("_brotli", "numpy", "psutil")
    assert extension_modules(tmp_path / "absent") == ()
    assert "psutil" in extension_modules()


STARTED = """
import multiprocessing, os, sys
from memwatch.sampling.identity import start_method

def say(name):
    print(name, start_method(), flush=True)

if __name__ == "__main__":
    say("itself")
    if os.fork() == 0:
        say("os.fork")
        os._exit(0)
    os.wait()
    for method in ("fork", "forkserver", "spawn"):
        child = multiprocessing.get_context(method).Process(target=say, args=(method,))
        child.start()
        child.join()
"""


def test_a_process_knows_how_it_was_started(tmp_path: Path) -> None:
    script = tmp_path / "started.py"
    script.write_text(STARTED)
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["itself ", "os.fork fork", "fork fork", "forkserver forkserver", "spawn spawn"]
    assert start_method(tmp_path / "none") == ""
