"""Run inside a site: reports of a leak arrive, the tasks work, the pages are opened, an operator acts and leaves.

Prints one JSON object: what was stored, and each address with its status. With ``--without-tables`` or
``--without-reports`` only what can be done without them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from memwatch import models
from memwatch.conf import get_settings
from memwatch.transport import open_uplink
from tests import reports

NOT_BY_GET = 405
SNAPSHOTS = 91
LEAK = "shop.PriceQuote"
TASKS = ("take_snapshots", "detect_leaks", "check_alerts", "send_notifications", "end_stale_processes", "prune")
ACTS = r"/(add|delete|password|logout|login|r|flamegraph|download|difference|compare)/|/metrics$|_id>/$|admin.*/\d+/$"
"""Addresses that redirect, or want more than a row."""


def report() -> None:
    """An hour and a half of a process that leaks, as its agent would have sent it."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=SNAPSHOTS)
    who = reports.process(host="here", started_at=begin - timedelta(hours=1))
    link = open_uplink(get_settings().transport_url, who.key)
    for number in range(SNAPSHOTS):
        grown = number * 400
        taken = reports.snapshot(
            counts={"dict": 9_000 + number % 7, LEAK: 500 + grown}, timestamp=begin + timedelta(minutes=number),
            total_objects=60_000 + grown, allocated_blocks=300_000 + 4 * grown, rss_mb=96 + grown / 2048,
            heap_used_mb=64 + grown / 2048, pymalloc_used_mb=48 + grown / 2048, gc_collections_gen0=100 + number,
        )  # fmt: skip
        link.send(reports.report(who, {number: taken}, lease_s=600.0).encode())
    link.close()


def work() -> list[str]:
    """Every task of beat's once; those that failed."""
    from memwatch import tasks

    failed = []
    for name in TASKS:
        try:
            getattr(tasks, name)()
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(f"{name}: {type(error).__name__}: {error}")
    return failed


def addresses(rows: bool) -> Iterator[str]:
    """Addresses of memwatch's that a GET opens: all lists, and a page of each model that has a row."""
    found = list(apps.get_app_config("memwatch").get_models())
    keys = {str(model._meta.model_name): _first(model) if rows else None for model in found}
    process = models.Process.objects.first() if rows else None
    own = {
        "name": process and process.service.name,
        "host": "here",
        "slot": 1,
        "service": process and process.service_id,
    }
    for pattern, name in _patterns(get_resolver().url_patterns):
        longest = sorted(keys, key=len, reverse=True)
        plain = name.replace("-", "")
        model = next((key for key in longest if f"/{key}" in pattern or plain.startswith(key)), "process")
        values = {**dict.fromkeys(("object_id", "pk", "id"), keys[model]), **own}
        text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>", _Fill(values), pattern)
        text = "/" + re.sub(r"\\.|[\^$?]", "", text)
        if "None" not in text and not re.search(ACTS, text):
            yield text


class _Fill:
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __call__(self, match: re.Match[str]) -> str:
        return str(self.values.get(match[1] or match[2]))


def _first(model: Any) -> Any:
    return model._default_manager.values_list("pk", flat=True).first()


def _patterns(found: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for item in found:
        where = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _patterns(item.url_patterns, where)
        elif isinstance(item, URLPattern) and ("memwatch" in where or where.startswith(("api/", "readyz", "healthz"))):
            yield where, str(item.name or "")


def operator() -> Any:
    """A superuser of whatever model the site has."""
    users = get_user_model()
    values: dict[str, Any] = {**dict.fromkeys(users.REQUIRED_FIELDS, "ops@example.org"), "password": "a password"}
    return users._default_manager.create_superuser(**{users.USERNAME_FIELD: "ops@example.org", **values})


def act(client: Client) -> dict[str, int]:
    """What an operator does to the leak and the process, and the pages that tell of it."""
    leak, process = models.Leak.objects.get(), models.Process.objects.get()
    done = {}
    for address, body in (
        (f"/api/v1/leaks/{leak.pk}/acknowledge/", {"comment": "seen"}),
        (f"/api/v1/processes/{process.pk}/reset-baseline/", {"reason": "seen"}),
    ):
        done[address] = client.post(address, body, content_type="application/json").status_code
    for page in addresses(rows=True):
        if re.search("process|leak|baseline|command|recording", page):
            status = client.get(page).status_code
            done |= {f"{page}, afterwards": status} if status != NOT_BY_GET else {}
            if page.endswith(("/baseline/", "/command/", "/recording/")):
                done[f"{page}?q="] = client.get(f"{page}?q=ops@example").status_code
    return done


def main(*, tables: bool, reported: bool) -> None:
    """Live."""
    if reported:
        report()
    failed = work()
    user, client = operator(), Client(raise_request_exception=False)
    client.force_login(user)
    answers = {address: client.get(address) for address in sorted(set(addresses(rows=tables)))}
    answers = {address: answer for address, answer in answers.items() if answer.status_code != NOT_BY_GET}
    told: dict[str, Any] = {
        "failed": failed,
        "opened": {address: answer.status_code for address, answer in answers.items()},
        "said": {address: answer.content.decode() for address, answer in answers.items() if answer.status_code >= 400},
    }
    if tables and reported:
        told["acted"] = act(client)
        user.delete()
        told["snapshots"] = models.Snapshot.objects.count()
        told["leaks"] = list(models.Leak.objects.values_list("object_type", flat=True))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(tables="--without-tables" not in sys.argv, reported="--without-reports" not in sys.argv)
