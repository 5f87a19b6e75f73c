"""``memwatch_gate``: what drives the site, what it looks at, and what it says in each format."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError
from django.utils import timezone

from memwatch.conf import Settings
from memwatch.models import Leak, Process, Release
from memwatch.queries import gate as queries
from memwatch.queries.gate import JobPeak, ServiceRun
from memwatch.records import histogram
from memwatch.services.leaks import actions
from memwatch.services.leaks.endings import end_leaks
from memwatch.terminal.gate import formats, outcome
from memwatch.terminal.gate.load import Command, Pages, _Redirects, headers_of, urls_of
from memwatch.terminal.gate.outcome import Finding, Outcome
from memwatch.terminal.report import report
from tests.services.stored import MINUTE, NOON, QUOTE, end_process, store_process, store_snapshots, store_work
from tests.services.stored_releases import store_release
from tests.terminal.conftest import Ran
from tests.waiting import until

RUN = ServiceRun(service="web", release="2.4", processes=2, snapshots=40, peak_mb=150.0, before="2.3", before_mb=140.0)
LEAKS = Finding(kind="leak", service="web", subject=QUOTE, text="It grows.", file="shop/leaks.py", line=41)
HOUR = timedelta(hours=1)
LOGIN = "/accounts/login/"
DATA = {"seconds": 600.0, "load": "40 requests", "services": (RUN,), "findings": (), "unclear": ()}


def made(**values: Any) -> Outcome:
    return Outcome(**{**DATA, **values})


@pytest.fixture
def seen() -> list[tuple[str, str, str]]:
    """Host, path and cookie of each request."""
    return []


@pytest.fixture
def server(seen: list[tuple[str, str, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.headers["Host"].partition(":")[0], self.path, self.headers.get("Cookie", "")))
            target = {
                "/orders/": f"{LOGIN}?next=/orders/",
                "/account": "/signin?back=%2Faccount",
                "/stock/": LOGIN,
                "/old": "/",
                "/list": "/en/list?from=/list",
                "/elsewhere/": f"http://localhost:{self.server.server_port}/",
            }.get(self.path)
            if target is not None and (target.startswith("http") or not self.headers.get("Cookie")):
                self.send_response(302)
                self.send_header("Location", target)
            else:
                self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()
            self.wfile.write(b"fine")

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_it_passes_fails_or_cannot_tell() -> None:
    assert made().state == "passed"
    assert made(unclear=("too few snapshots",)).state == "could not tell"
    assert made(unclear=("too few snapshots",), findings=(LEAKS,)).state == "failed", "a leak is a leak"
    assert made(findings=(dataclasses.replace(LEAKS, known="it is acknowledged"),)).state == "passed"
    assert outcome.EXIT_CODES == {"passed": 0, "failed": 1, "could not tell": 2}


def test_a_peak_fails_by_share_and_by_size() -> None:
    def found(now: float, before: float | None, percent: float = 20.0, p: float | None = None) -> list[str]:
        run = dataclasses.replace(RUN, peak_mb=now, before_mb=before, peak_p=p)
        return [each.kind for each in outcome.peaks([run], Settings(release_change_percent=percent))]

    assert found(200, 150) == ["peak"]
    assert found(170, 150) == [], "within 20 percent"
    assert found(170, 150, percent=10) == ["peak"]
    assert found(30, 20) == [], "10 MB are no finding"
    assert found(200, None) == [], "nothing to compare with"
    assert found(200, 150, p=0.03) == ["peak"]
    assert found(200, 150, p=0.2) == [], "there are enough processes to see that it is chance"
    jobs = (JobPeak(kind="view", name="shop.views.report", mb=300, before_mb=100),)
    (finding,) = outcome.peaks([dataclasses.replace(RUN, jobs=jobs)], Settings())
    assert (finding.kind, finding.subject) == ("job-peak", "shop.views.report")
    assert "300.0 MB" in finding.text
    assert "release 2.3" in finding.text
    by_chance = dataclasses.replace(RUN, jobs=(dataclasses.replace(jobs[0], p=0.4),))
    assert list(outcome.peaks([by_chance], Settings())) == []


def test_why_it_cannot_tell_says_what_to_do() -> None:
    assert list(outcome.unclear([RUN], None, "")) == []
    assert "memwatch_doctor" in next(outcome.unclear([], "web", ""))
    few = dataclasses.replace(RUN, snapshots=3)
    assert "more --minutes" in next(outcome.unclear([few], None, ""))
    assert "9 of 10 requests" in next(outcome.unclear([RUN], None, "9 of 10 requests failed."))
    cold = dataclasses.replace(RUN, counted=12)
    assert "12 snapshots with counts" in next(outcome.unclear([cold], None, ""))
    gone = dataclasses.replace(RUN, before_mb=None)
    assert "of release 2.3 are gone" in next(outcome.unclear([gone], None, ""))
    assert list(outcome.unclear([dataclasses.replace(gone, before="")], None, "")) == []


def test_a_site_that_is_down_for_half_the_time_is_an_obstacle() -> None:
    """Though it fails few requests: one that answers gets hundreds in the time of one that fails."""
    pages = Pages(["http://127.0.0.1/"], clients=1)
    pages._made, pages._failed, pages._spent_s, pages._lost_s = 1_000, 10, 10.0, 0.5
    assert pages.obstacle() == ""
    pages._lost_s = 5.0
    assert pages.obstacle().startswith("10 of 1,000 requests failed")


def test_text_names_service_release_peaks_and_each_finding() -> None:
    known = dataclasses.replace(LEAKS, subject="shop.Cache", known="it is acknowledged")
    text = formats.as_text(made(findings=(known, LEAKS), unclear=("No request was made.",)))
    lines = text.splitlines()
    assert lines[0] == "Failed, after 10 min: 40 requests."
    assert lines[1] == "web 2.4: 2 processes, 40 snapshots, peak 150.0 MB (140.0 MB in release 2.3)"
    assert lines[2] == "? No request was made."
    assert lines[3] == f"✗ Memory leak: {QUOTE} in web", "what fails comes first"
    assert "  added to at shop/leaks.py:41" in lines
    assert lines[-1] == "  It does not fail the gate: it is acknowledged."


def test_json_has_all_of_it() -> None:
    told = json.loads(formats.as_json(made(findings=(LEAKS,))))
    assert (told["state"], told["findings"][0]["line"], told["services"][0]["before_mb"]) == ("failed", 41, 140.0)


def test_junit_counts_failures_errors_and_what_is_known() -> None:
    known = dataclasses.replace(LEAKS, subject="shop.\x00Cache", known="it is snoozed")
    text = formats.as_junit(made(findings=(LEAKS, known), unclear=("too few snapshots",)))
    (suite,) = ElementTree.fromstring(text)
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1", "skipped": "1"}
    assert [case.get("name") for case in suite] == [f"leak: {QUOTE}", "leak: shop.?Cache", "could be judged"]
    (passed,) = ElementTree.fromstring(formats.as_junit(made()))
    assert [(case.get("classname"), len(case)) for case in passed] == [("web", 0)]


def test_sarif_has_rules_places_and_a_lasting_fingerprint() -> None:
    known = dataclasses.replace(LEAKS, subject="shop.Cache", file="", known="it is acknowledged")
    log = json.loads(formats.as_sarif(made(findings=(LEAKS, known))))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {each["ruleId"] for each in run["results"]} <= rules
    first, second = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("shop/leaks.py", 41)
    assert (first["level"], second["level"]) == ("error", "note")
    assert second["suppressions"] == [{"kind": "external", "justification": "it is acknowledged"}]
    again = json.loads(formats.as_sarif(made(findings=(dataclasses.replace(LEAKS, text="It grows more."),))))
    assert again["runs"][0]["results"][0]["partialFingerprints"] == first["partialFingerprints"]
    unclear = json.loads(formats.as_sarif(made(unclear=("too few snapshots",))))["runs"][0]["invocations"][0]
    assert unclear["executionSuccessful"] is False


def test_pages_are_got_again_and_again_and_failures_are_told(server: str) -> None:
    pages = Pages([f"{server}/"], clients=2)
    assert pages.obstacle() == "No request was made."
    pages.start()
    until(lambda: not pages.told().startswith(("0", "1 ", "2 ")))
    pages.stop()
    assert pages.obstacle() == ""
    broken = Pages([f"{server}/broken"], clients=1)
    broken.start()
    until(lambda: "status 500" in broken.told())
    broken.stop()
    assert "requests failed, the last one" in broken.obstacle()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/orders/", "redirected to the login page /accounts/login/: give --header"),
        ("/account", "redirected to the login page /signin"),
        ("/stock/", "redirected to the login page /accounts/login/"),
        ("/elsewhere/", "redirected to another host, localhost"),
        ("/old", ""),
        ("/list", ""),
    ],
)
def test_a_redirect_away_from_the_page_is_a_failure(server: str, path: str, said: str) -> None:
    """But one that only moves a page is none."""
    pages = Pages([server + path], clients=1, login=[LOGIN])
    pages.start()
    until(lambda: not pages.told().startswith(("0", "1 ")))
    pages.stop()
    assert said in pages.obstacle()
    assert bool(pages.obstacle()) == bool(said)


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ("https://shop.example.org/", "https://shop.example.org/orders/", True),
        ("http://shop.example.org/", "http://shop.example.org/orders/", True),
        ("https://shop.example.org/", "http://shop.example.org/", False),
        ("https://shop.example.org/", "https://example.net/", False),
    ],
)
def test_a_header_follows_a_redirect_only_where_it_is_as_safe(before: str, after: str, sent: bool) -> None:
    request = Request(before, headers={"Cookie": "sessionid=a"})
    made = _Redirects({"Cookie": "sessionid=a"}).redirect_request(request, None, 302, "", {}, after)
    assert made is not None
    assert made.has_header("Cookie") == sent


def test_a_header_opens_pages_and_goes_to_no_other_host(server: str, seen: list[tuple[str, str, str]]) -> None:
    headers = headers_of(["Cookie: sessionid=a:b"])
    pages = Pages([f"{server}/orders/", f"{server}/elsewhere/"], clients=1, headers=headers, login=[LOGIN])
    pages.start()
    until(lambda: len({host for host, _path, _cookie in seen}) == 2)
    pages.stop()
    assert set(seen) == {
        ("127.0.0.1", "/orders/", "sessionid=a:b"),
        ("127.0.0.1", "/elsewhere/", "sessionid=a:b"),
        ("localhost", "/", ""),
    }
    assert "login" not in pages.obstacle()
    with pytest.raises(ValueError, match="--header needs a name and a value"):
        headers_of(["sessionid"])


def test_a_command_is_run_again_until_it_fails_and_is_ended_at_the_end() -> None:
    endless = Command([sys.executable, "-c", "import time; time.sleep(600)"])
    quick = Command(["true"])
    failing = Command(["false"])
    missing = Command(["no-such-program-of-the-tests"])
    for each in (quick, failing, missing):
        each.start()
    until(lambda: "2 times" in quick.told())
    until(lambda: failing.obstacle() == "false ended with exit code 1.")
    until(lambda: "cannot be started" in missing.obstacle())
    endless.start()
    until(lambda: endless._process is not None)
    for each in (quick, failing, missing, endless):
        each.stop()
    assert endless._process is not None
    assert endless._process.returncode is not None
    assert quick.obstacle() == endless.obstacle() == ""


def test_urls_come_from_the_command_line_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "urls.txt"
    file.write_text("# the shop\nhttp://a/orders/ # the list\n\nhttps://a/#top\n")
    assert urls_of(["http://a/"], file) == ["http://a/", "http://a/orders/", "https://a/#top"]
    with pytest.raises(ValueError, match="'shop' is no URL"):
        urls_of(["shop"], None)
    with pytest.raises(ValueError, match="'file:///etc/passwd' is no URL"):
        urls_of(["file:///etc/passwd"], None)
    with pytest.raises(ValueError, match="No such file"):
        urls_of([], tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give what drives the site"),
        (("http://a/", "--run", "true"), "not both"),
        (("http://a/", "--minutes", "0"), "--minutes is 0: give a number above 0"),
        (("http://a/", "--minutes", "nan"), "--minutes is nan"),
        (("http://a/", "--clients", "900"), "give 1 to 64"),
        (("shop",), "is no URL"),
        (("http://a/", "--header", "sessionid"), "--header needs a name and a value"),
        (("--run", "true", "--header", "Cookie: a"), "--header goes with URLs"),
        (("http://a/", "--output", "/no/such/folder/memory.xml"), "there is no folder /no/such/folder"),
    ],
)
def test_a_wrong_option_says_so_and_ends_with_2(
    run: Callable[..., Ran], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError, match=message) as raised:
        run("memwatch_gate", *arguments)
    assert raised.value.returncode == 2


def release(process: Process, name: str, first: Any) -> Release:
    made, _ = Release.objects.get_or_create(service=process.service, name=name, defaults={"first_seen_at": first})
    process.release = made
    process.save()
    return made


def test_peaks_are_compared_with_the_release_before_at_no_greater_age(db: None) -> None:
    before, later = NOON - timedelta(days=2), NOON + timedelta(hours=1)
    for slot, top in ((1, 90_000), (2, 102_400), (3, 300_000)):
        old = store_process(slot=slot, started=before)
        release(old, "2.3", before)
        store_snapshots(old, before, before + 30 * MINUTE, lambda _minutes, top=top: {"rss_kib": top})
        store_snapshots(
            old, before + 30 * 60 * MINUTE, before + 30 * 60 * MINUTE, lambda _minutes: {"rss_kib": 900_000}
        )
    new = store_process(slot=4, started=NOON)
    release(new, "2.4", NOON)
    store_snapshots(new, NOON, later, lambda minutes: {"rss_kib": 204_800 if minutes == 20 else 100_000})
    (found,) = queries.service_runs(NOON, later)
    assert (found.service, found.release, found.before) == ("web", "2.4", "2.3")
    assert (found.processes, found.snapshots, found.before_processes) == (1, 61, 3)
    assert (found.peak_mb, found.before_mb) == (200.0, 100.0)
    assert queries.service_runs(NOON, later, "worker") == []
    assert queries.service_runs(later + MINUTE, later + 2 * MINUTE) == []


def test_jobs_are_compared_with_the_hours_before_the_release(db: None) -> None:
    before, later = NOON - timedelta(days=1), NOON + timedelta(hours=1)
    old = store_process(started=before)
    release(old, "2.3", before)
    store_snapshots(old, before, before + 10 * MINUTE)
    new = store_process(slot=2, started=NOON)
    release(new, "2.4", NOON)
    store_snapshots(new, NOON, later)
    for start, top in ((before + timedelta(hours=2), 20_000), (NOON, 400_000)):
        store_work(new, start, peak_calls=40, peak_kib_max=top, peak_counts={str(histogram.bucket(top)): 40})
    store_work(new, NOON, "shop.tasks.once", peak_calls=2, peak_kib_max=900_000)
    (found,) = queries.service_runs(NOON, later)
    (job,) = found.jobs
    assert job.name == "shop.tasks.sync"
    assert job.mb > 2 * job.before_mb


def test_leaks_fail_unless_somebody_has_dealt_with_them(db: None) -> None:
    process = store_process()
    for name, state in (
        (QUOTE, "open"),
        ("shop.Cache", "acknowledged"),
        ("shop.Old", "open"),
        ("shop.Gone", "resolved"),
    ):
        Leak.objects.create(
            service=process.service, process=process, object_type=name, state=state, severity="high",
            initial_count=1, current_count=9, growth_count=8, growth_percent=800, verdict=f"{name} grows.",
            last_seen_at=NOON - MINUTE if name == "shop.Old" else NOON + MINUTE,
        )  # fmt: skip
    rows = queries.leaks_seen(NOON)
    assert {leak.object_type for leak in rows} == {QUOTE, "shop.Cache"}
    assert queries.leaks_seen(NOON, "worker") == []
    facts = [(leak, "", 0) for leak in report(rows, NOON + MINUTE).leaks]
    found = {each.subject: each.known for each in outcome.leaks(facts)}
    assert found == {QUOTE: "", "shop.Cache": "it is acknowledged"}


def test_a_leak_does_not_pass_because_its_worker_was_recycled(db: None) -> None:
    """One is enough of each type; one that somebody had dealt with stays out, and so does one that had stopped."""
    later = NOON + 2 * MINUTE
    for slot, name, dealt_with, has_stopped in (
        (1, QUOTE, None, False),
        (2, QUOTE, None, False),
        (3, "shop.Known", "acknowledged", False),
        (4, "shop.Stopped", None, True),
    ):
        process = store_process(slot=slot)
        leak = Leak.objects.create(
            service=process.service, process=process, object_type=name, state=dealt_with or "open", severity="high",
            initial_count=1, current_count=9, growth_count=8, growth_percent=800, verdict=f"{name} grows.",
            last_seen_at=NOON + MINUTE,
        )  # fmt: skip
        leak.events.create(kind="detected", at=NOON)
        if dealt_with:
            leak.events.create(kind=dealt_with, at=NOON + MINUTE)
        if has_stopped:
            actions.resolve(leak, by=None, now=later)
        end_process(process, later + MINUTE, Process.End.RECYCLED)
        end_leaks([process], later + 2 * MINUTE)
    (leak,) = queries.leaks_seen(NOON)
    assert (leak.object_type, leak.state) == (QUOTE, "resolved")
    (found,) = outcome.leaks([(each, "", 0) for each in report([leak], later).leaks])
    assert not found.known
    assert found.text == f"{QUOTE} grows. The process that had it has ended."
    facts = report([leak], later).leaks[0]
    holder = (("held in", "shop.QUOTES"),)
    for verdict, text in (
        ("It grows", "It grows. Held in shop.QUOTES. "), ("It grows in shop.QUOTES", "It grows in shop.QUOTES. "),
    ):  # fmt: skip
        (found,) = outcome.leaks([(dataclasses.replace(facts, verdict=verdict, facts=holder), "", 0)])
        assert found.text == f"{text}The process that had it has ended."


def test_a_release_whose_workers_are_larger_fails_the_gate(db: None) -> None:
    now = timezone.now()
    store_release("2.3", now - 10 * HOUR, now - 5 * HOUR, alive=False)
    store_release("2.4", now - 4.5 * HOUR, now, birth_mb=250.0)
    runs = queries.service_runs(now - 4 * HOUR, now)
    (compared,) = queries.comparisons(runs, now)
    assert outcome.against(compared).startswith("web 2.4 against 2.3: +150 MB a worker at birth")
    (finding,) = outcome.larger([compared], Settings(release_change_percent=20))
    assert (finding.kind, finding.service) == ("release", "web")
    assert finding.text.endswith(", against release 2.3.")
    assert list(outcome.larger([compared], Settings(release_change_percent=200))) == []
    assert compared.after.name in formats.as_text(made(releases=(outcome.against(compared),)))


def test_a_process_that_was_killed_fails_the_gate_and_one_that_ended_does_not(db: None) -> None:
    for slot, reason in ((1, Process.End.OOM_PROCESS), (2, Process.End.GOODBYE), (3, Process.End.RECYCLED)):
        process = store_process(slot=slot)
        process.ended_at, process.end_reason = NOON + MINUTE, reason
        process.save()
    assert [process.slot_number for process in queries.deaths_since(NOON)] == [1]
    assert queries.deaths_since(NOON + 2 * MINUTE) == []
