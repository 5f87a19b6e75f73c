"""The examples of the documents run, and do what the text beside them says."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.docs.examples import WITHIN_S, blocks_of, finish, is_program, start, start_fragments
from tests.servers import free_port
from tests.waiting import until

API = "docs/MEMORY_PROFILING_API.md"


def test_the_fragments_of_the_api_page_run_one_after_the_other(tmp_path: Path) -> None:
    fragments = [block for block in blocks_of(API) if not is_program(block)]
    assert len(fragments) >= 8
    process = start_fragments(tmp_path, fragments)
    output, errors = finish(process)
    assert (process.returncode, errors) == (0, "")
    for shown in ("heap used: ", "objects: ", "gc: (", "% from the baseline"):
        assert shown in output


def test_the_complete_program_finds_the_leak_that_it_has(tmp_path: Path) -> None:
    (program,) = [block for block in blocks_of(API) if is_program(block) and "Event().wait()" not in block]
    process = start(tmp_path, program)
    output, errors = finish(process)
    assert (process.returncode, errors) == (0, "")
    assert "__main__.Session grows by" in output
    assert output.splitlines()[-1].startswith("__main__.Session ")


def test_the_exporter_of_the_example_serves_its_process_until_it_is_interrupted(tmp_path: Path) -> None:
    (program,) = [block for block in blocks_of(API) if "Event().wait()" in block]
    port = free_port()
    process = start(tmp_path, program, port=port)
    try:
        page = wait_for_page(f"http://127.0.0.1:{port}/metrics", process)
        process.send_signal(signal.SIGINT)
        _output, errors = finish(process)
    finally:
        process.kill()
    assert "\nfogcompute_memory_rss_mb " in page
    assert "\nmemwatch_up 1.0\n" in page
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Error" not in errors.replace("CancelledError", "")


def test_the_profiler_of_the_readme_runs(tmp_path: Path) -> None:
    fragments = [block for block in blocks_of("README.md") if "get_memory_profiler" in block]
    process = start_fragments(tmp_path, fragments)
    _output, errors = finish(process)
    assert fragments
    assert (process.returncode, errors) == (0, "")


def wait_for_page(url: str, process: subprocess.Popen[str]) -> str:
    def page() -> str:
        assert process.poll() is None, process.communicate()
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    return until(page, within_s=WITHIN_S)


def test_the_webhook_example_takes_what_memwatch_signs_and_nothing_else() -> None:
    from memwatch.alerts.webhook import SIGNATURE, TIMESTAMP, sign

    _settings, example = blocks_of("docs/notifications.md")
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    now = str(int(time.time()))
    headers = {TIMESTAMP: now, SIGNATURE: sign("s3cret", now, b"{}")}
    assert namespace["is_from_memwatch"]("s3cret", headers, b"{}")
    assert not namespace["is_from_memwatch"]("s3cret", headers, b"{} ")


def test_the_production_example_records_each_alert_once_of_one_process_and_of_a_fleet() -> None:
    from memwatch.alerts.channels import configured
    from memwatch.conf import Settings
    from memwatch.profiler import get_memory_profiler
    from tests.alerts.told import message

    (example,) = [block for block in blocks_of(API) if "metrics_aggregator" in block]
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    recorded = namespace["metrics_aggregator"].recorded
    profiler = get_memory_profiler()

    async def life() -> None:
        await namespace["startup"]()
        assert profiler.is_running
        profiler.heap_warning_percent, profiler.heap_critical_percent = 0.0001, 100.0
        await profiler.take_snapshot()
        await profiler.take_snapshot()
        await namespace["shutdown"]()
        assert not profiler.is_running

    try:
        asyncio.run(life())
    finally:
        profiler.heap_warning_percent, profiler.heap_critical_percent = 80.0, 90.0
    ((name, value, alert),) = recorded
    assert (name, value, alert["type"], alert["severity"]) == ("memory_alerts", 1, "heap_warning", "medium")

    (channel,) = configured(Settings(alert_channels=(namespace["report_to_aggregator"],))).values()
    channel.send([message()], timeout_s=5)
    assert recorded[-1] == ("memory_alerts", 1, message())


@pytest.mark.django_db
def test_the_query_of_the_tables_page_finds_what_leaks(capsys: pytest.CaptureFixture[str]) -> None:
    from model_bakery import baker

    from memwatch.models import Leak

    (example,) = blocks_of("docs/models.md")
    leak = baker.make(Leak, object_type="shop.Quote", severity="critical", verdict="It grows.", state="open")
    baker.make(Leak, object_type="shop.Price", severity="critical", state="resolved")
    baker.make(Leak, object_type="shop.Stock", severity="low", state="open")
    exec(example, {})
    assert capsys.readouterr().out == f"{leak.service} shop.Quote It grows.\n"


@pytest.mark.django_db
def test_a_verdict_is_repeated_from_the_apis_snapshots(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.contrib.auth.models import User

    from tests.services.stored import MINUTE, NOON, QUOTE, growing, store_process, store_snapshots

    process = store_process()
    store_snapshots(process, NOON - 59 * MINUTE, NOON, growing(-59, 100))
    client.force_login(User.objects.create_superuser("ops"))
    page = client.get(f"/api/v1/snapshots/?process={process.pk}&page_size=1000")
    (tmp_path / "snapshots.json").write_bytes(page.content)
    monkeypatch.chdir(tmp_path)
    example = blocks_of("docs/how-to/false-alarms.md")[-1]
    exec(example, {})
    assert QUOTE in capsys.readouterr().out
