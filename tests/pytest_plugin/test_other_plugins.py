"""Beside other plug-ins, the real ones: each test needs its package, and says so where it lacks."""

from __future__ import annotations

import os
import sys
from textwrap import dedent

import pytest

from tests.servers import require

pytest_plugins = ["pytester"]

SHOP = """
    import asyncio, gc, itertools, time
    import pytest

    TRAIL, NUMBERS = [], itertools.count()

    class Entry:
        pass

    @pytest.mark.no_leaks(calls=48)
    def test_kept():
        TRAIL.append(Entry())

    @pytest.mark.no_leaks(calls=48)
    def test_fine():
        next(NUMBERS)
"""
ASYNCHRONOUS = """
    @pytest.fixture
    async def shop():
        await asyncio.sleep(0)
        yield TRAIL

    @pytest.mark.asyncio
    @pytest.mark.no_leaks(calls=48)
    async def test_kept_within_a_loop(shop):
        await asyncio.sleep(0)
        shop.append(Entry())

    @pytest.mark.asyncio
    @pytest.mark.no_leaks
    async def test_fine_within_a_loop():
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
"""
LEAKS = "* leaks test_shop.Entry: 1 object per call *"


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_shop=dedent(SHOP) + dedent(source))
    return pytester.runpytest_subprocess("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", *options)


def needs(package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: it is in the extra tests")


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    needs("pytest_asyncio")
    source = ASYNCHRONOUS.replace("@pytest.fixture", "import pytest_asyncio\n    @pytest_asyncio.fixture")
    result = run(pytester, source, "-p", "pytest_asyncio.plugin", f"--asyncio-mode={mode}")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines([f"test_kept{LEAKS[1:]}", f"test_kept_within_a_loop{LEAKS[1:]}"])


def test_eight_workers_of_xdist(pytester: pytest.Pytester) -> None:
    needs("xdist")
    source = """
    @pytest.mark.parametrize("number", range(20))
    def test_plain(number):
        pass

    def test_by_name(request):
        request.getfixturevalue("memory").assert_no_leak(test_kept, calls=48)
    """
    result = run(pytester, source, "-p", "xdist", "-n", "8", "--memwatch=all", "--memwatch-baseline-write")
    result.assert_outcomes(passed=23)
    result.stdout.fnmatch_lines(["known leak: test_shop.py::test_kept: test_shop.Entry, 1 object per call"])
    assert "test_kept" in (pytester.path / "leaks.toml").read_text()


def test_coverage_of_lines_and_branches(pytester: pytest.Pytester) -> None:
    needs("coverage")
    pytester.makepyfile(test_shop=dedent(SHOP))
    options = ("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider")
    result = pytester.run(sys.executable, "-m", "coverage", "run", "--branch", "-m", "pytest", *options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([LEAKS])


def test_pytest_cov(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no lock: its own needs coverage[toml], which pip takes for unpinned."""
    remedy = "pip install --no-deps --target FOLDER pytest-cov, and name the folder in MEMWATCH_PYTEST_COV"
    monkeypatch.setenv("PYTHONPATH", require("pytest-cov", os.environ.get("MEMWATCH_PYTEST_COV"), remedy))
    result = run(pytester, "", "-p", "pytest_cov.plugin", "--cov=.", "--cov-branch")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([LEAKS, "test_shop.py * 100%"])


def test_what_coverage_keeps_of_each_thread_is_no_leak(pytester: pytest.Pytester) -> None:
    needs("coverage")
    source = """
    import threading

    @pytest.mark.no_leaks
    def test_threads():
        thread = threading.Thread(target=Entry)
        thread.start()
        thread.join()
    """
    pytester.makepyfile(test_shop=dedent(SHOP) + dedent(source))
    options = ("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", "-k", "test_threads")
    result = pytester.run(sys.executable, "-m", "coverage", "run", "-m", "pytest", *options)
    result.assert_outcomes(passed=1, deselected=2)


@pytest.mark.parametrize(("package", "frozen"), [("time_machine", "travel"), ("freezegun", "freeze_time")])
def test_a_clock_that_stands_still(pytester: pytest.Pytester, package: str, frozen: str) -> None:
    needs(package)
    ticking = ", tick=False" if package == "time_machine" else ""
    source = f"""
    import {package}

    @pytest.fixture
    def stopped():
        with {package}.{frozen}("2026-01-01"{ticking}):
            yield

    @pytest.mark.no_leaks(calls=48)
    def test_kept_while_the_clock_stands_still(stopped):
        TRAIL.append(Entry())

    @pytest.mark.no_leaks(calls=48)
    def test_fine_while_the_clock_stands_still(stopped):
        assert time.time() == time.time()
    """
    run(pytester, source).assert_outcomes(passed=2, failed=2)
