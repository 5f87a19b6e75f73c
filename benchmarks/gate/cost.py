"""What the plug-in costs: start-up without a use, and ``--memwatch=all`` over suites of empty and of real tests.

``python -m benchmarks.gate.cost``. CPU seconds of the children, and seconds of the clock beside them. Runs are taken
in turns, and a suite's figure is the median of its rounds, each with and without: a busy machine matters little. Tests
that are called real take 2 to 20 ms and make objects, cycles and texts; one in 50 keeps some. Those of a site take 1
to 3 ms: requests of Django's test client, with a fixture. It ends with 1 where the start takes over 10 ms more, or a
suite over 10 % of CPU.
``--instructions`` counts those of the start instead of its time, with valgrind: exact on any machine, however busy.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.leaks.environments import ROOT

MOST_START_S, MOST_SHARE = 0.010, 0.10
Taken = tuple[float, float]
"""CPU seconds, and seconds of the clock."""
_SUITES = {
    "empty": """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    pass
""",
    "real": """
import json, pytest

KEPT = []

class Node:
    def __init__(self, number, parent):
        self.number, self.parent, self.children = number, parent, []

@pytest.mark.parametrize("number", range({tests}))
def test_it(number, tmp_path):
    for turn in range(2 + number * 7 % 19):
        root = Node(turn, None)
        root.children += [Node(each, root) for each in range(300)]
        text = json.dumps([{{"number": node.number, "name": str(node.number)}} for node in root.children])
        assert len(json.loads(text)) == 300
    if number % 50 == 0:
        KEPT.append([str(each) for each in range(2_000)])
""",
    "site": """
import sys, types
import django, pytest
from django.conf import settings
from django.http import JsonResponse

settings.configure(ROOT_URLCONF="urls_of_shop", ALLOWED_HOSTS=["testserver"], SECRET_KEY="x", USE_TZ=True)
django.setup()
from django.test import Client
from django.urls import path

class Order:
    def __init__(self, number):
        self.number, self.lines = number, [dict(number=each, of=self) for each in range(number % 40)]

def order(request, number):
    found = Order(number)
    return JsonResponse(dict(number=number, lines=[line["number"] for line in found.lines]))

sys.modules["urls_of_shop"] = types.ModuleType("urls_of_shop")
sys.modules["urls_of_shop"].urlpatterns = [path("orders/<int:number>/", order)]

@pytest.fixture
def client():
    return Client()

@pytest.mark.parametrize("number", range({tests}))
def test_order(client, number):
    for turn in range(1 + number % 4):
        assert len(client.get("/orders/%d/" % (number + turn)).json()["lines"]) == (number + turn) % 40
""",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.cost", description=__doc__)
    parser.add_argument("--tests", type=int, default=5_000, help="of each suite")
    parser.add_argument("--only", choices=_SUITES, nargs="*", default=list(_SUITES), help="suites; all by default")
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--instructions", action="store_true", help="of the start, counted by valgrind")
    parser.add_argument("--suites", type=int, default=5, help="rounds of each suite")
    options = parser.parse_args()
    plugin = ["-p", "memwatch.pytest_plugin"]
    with tempfile.TemporaryDirectory() as folder:
        none = Path(folder, "test_none.py")
        none.touch()
        failed = _start(options, [str(none)], plugin)
        for name in options.only:
            suite = Path(folder, f"test_{name}.py")
            suite.write_text(_SUITES[name].format(tests=options.tests))
            failed |= _suite(f"{options.tests:,} tests ({name})", options.suites, [str(suite)], plugin)
    return int(failed)


def _suite(what: str, rounds: int, suite: list[str], plugin: list[str]) -> bool:
    """Whether ``--memwatch=all`` makes it too slow."""
    taken = _in_turns(rounds, [suite, [*plugin, *suite], [*plugin, "--memwatch=all", *suite]])
    (loaded, _), (everything, clock) = ([_more(taken[0], each, of) for of in (0, 1)] for each in taken[1:])
    print(
        f"{what}: {median(cpu for cpu, _ in taken[0]):.2f} s without, {median(loaded):+.1%} with, "
        f"{median(everything):+.1%} with --memwatch=all ({min(everything):+.1%} to {max(everything):+.1%} in {rounds} "
        f"rounds; by the clock {median(clock):+.1%}), at load {os.getloadavg()[0]:.0f}",
        flush=True,
    )
    return median(everything) > MOST_SHARE


def _more(before: list[Taken], after: list[Taken], of: int) -> list[float]:
    return [late[of] / early[of] - 1 for early, late in zip(before, after, strict=True)]


def _start(options: argparse.Namespace, empty: list[str], plugin: list[str]) -> bool:
    """Whether the plug-in makes it too slow."""
    bare, used = _least(options.starts, [empty, [*plugin, *empty]])
    print(f"start: {bare * 1e3:.0f} ms without, {used * 1e3:.0f} ms with: {(used - bare) * 1e3:+.1f} ms", flush=True)
    extra_s = used - bare
    if options.instructions:
        few, many = (_instructions(arguments) for arguments in (empty, [*plugin, *empty]))
        extra_s = bare * (many / few - 1)
        print(f"start: {many / few - 1:+.2%} instructions, {extra_s * 1e3:.1f} ms of {bare * 1e3:.0f}", flush=True)
    return extra_s > MOST_START_S


def _least(times: int, variants: list[list[str]]) -> list[float]:
    return [min(taken)[0] for taken in _in_turns(times, variants)]


def _in_turns(times: int, variants: list[list[str]]) -> list[list[Taken]]:
    found: list[list[Taken]] = [[] for _ in variants]
    for _ in range(times):
        for arguments, taken in zip(variants, found, strict=True):
            taken.append(_taken(arguments))
    return found


def _taken(arguments: list[str]) -> Taken:
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(_command(arguments), env=_environment(), stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - began


def _instructions(arguments: list[str]) -> int:
    own = {"PYTHONHASHSEED": "0"}
    with tempfile.NamedTemporaryFile() as out:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", *_command(arguments)]
        done = subprocess.run(command, env=_environment() | own, capture_output=True, text=True, check=False)
    counted = re.search(r"refs:\s+([\d,]+)", done.stderr)
    if counted is None:
        raise SystemExit(f"valgrind counted nothing: {done.stderr[-400:]}")
    return int(counted[1].replace(",", ""))


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", *arguments]


def _environment() -> dict[str, str]:
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own


if __name__ == "__main__":
    sys.exit(main())
