"""What the deployment's answers say to browsers, and Django's own check of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

ROOT = Path(__file__).parents[2]


def manage(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "MEMWATCH_VAR": str(folder), **environment}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments], env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/", "/healthz", "/api/v1/services/", "/nowhere"])
def test_every_answer_forbids_what_is_inline_and_what_comes_from_elsewhere(client: Client, path: str) -> None:
    answer = client.get(path)
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def test_djangos_check_for_deployments_finds_nothing_behind_https(tmp_path: Path) -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "INFO", folder=tmp_path, BEHIND_HTTPS="1", SECURE_HSTS_EVERYWHERE="1"
    )
    said = [line for line in checked.stderr.splitlines() if "(memwatch.W" in line or "(security." in line]
    of_this_python = [line for line in said if "(memwatch.W023)" in line]  # which the deployment did not choose
    assert said == of_this_python, checked.stderr
    assert said or checked.returncode == 0, checked.stderr


def test_logs_are_json_where_that_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); import logging, json, sys\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: logging.getLogger('memwatch').exception('two\\nlines')"
    )
    environ = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "MEMWATCH_VAR": str(tmp_path),
        "LOG_FORMAT": "json", "MEMWATCH_SERVICE": "web",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True, check=True
    )
    import json

    (line,) = done.stderr.splitlines()
    said = json.loads(line)
    assert said["message"] == "two\nlines"
    assert (said["level"], said["logger"], said["service"]) == ("ERROR", "memwatch", "web")
    assert "ZeroDivisionError" in said["exc_info"]
    assert said["time"].endswith("+00:00")


def test_an_unknown_log_format_says_what_there_is(tmp_path: Path) -> None:
    checked = manage("check", folder=tmp_path, LOG_FORMAT="xml")
    assert checked.returncode != 0
    assert 'LOG_FORMAT is \'xml\': give "line" or "json"' in checked.stderr
