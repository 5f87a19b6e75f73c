from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from django.core.checks import ERROR
from django.db import connections

from memwatch import checks, conf

IMMEDIATE = {"transaction_mode": "IMMEDIATE"}


def texts(settings: Any, **keys: Any) -> list[str]:
    settings.MEMWATCH = keys
    return [message.msg for message in checks.check_settings()]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMWATCH_TRANSPORT", raising=False)


def test_right_settings_pass(settings: Any) -> None:
    assert texts(settings, SNAPSHOT_INTERVAL=30) == []


def test_a_wrong_setting_is_named_with_its_value_and_what_would_be_right(settings: Any) -> None:
    wrong = texts(settings, SNAPSHOT_INTERVAL="often", COLOUR="red")
    assert any(text.startswith('MEMWATCH["SNAPSHOT_INTERVAL"] is "often": give a number, e.g. 60') for text in wrong)
    assert any('MEMWATCH["COLOUR"] is unknown' in text for text in wrong)


def test_a_storage_of_recordings_that_is_not_there_is_told_before_the_start(settings: Any) -> None:
    assert texts(settings, RECORDINGS_STORAGE="default") == []
    assert texts(settings, RECORDINGS_STORAGE="s3") == [
        'MEMWATCH["RECORDINGS_STORAGE"] is "s3", which is not in STORAGES'
    ]


def test_a_dict_is_wanted(settings: Any) -> None:
    settings.MEMWATCH = ["SERVICE"]
    assert [message.id for message in checks.check_settings()] == ["memwatch.E001"]


def test_redis_without_its_package_is_told_before_the_start(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "redis" else find(name))
    (text,) = texts(settings, TRANSPORT="redis://user:secret@host/0")
    assert "redis is not installed" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "channels",
    [
        ["ftp://example.org/hook"], ["https://"], ["https://exa mple.org"], ["mailto:nobody"], ["mailto:a@b,c@d"],
        ["mailto:a@b\r\nBcc: c@d"], ["a sentence"], ["nodots"], [7], "x:y", {"a": 1}, ["https://[bad/"],
    ],
)  # fmt: skip
def test_what_is_no_channel_is_told_before_the_start(settings: Any, channels: Any) -> None:
    (text,) = texts(settings, ALERT_CHANNELS=channels, WEBHOOK_SECRET="s3cret")
    assert text.startswith('MEMWATCH["ALERT_CHANNELS"] is ***: ')
    assert 'give a list of "mailto:ops@example.org"' in text


def test_channels_of_every_kind_pass_and_may_come_from_the_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = ["mailto:ops@example.org", "https://example.org/hook", "site.alerts.tell"]
    keys = {"WEBHOOK_SECRET": "s3cret", "SITE_URL": "https://ops.example.org/"}
    assert texts(settings, ALERT_CHANNELS=[*channels, print], **keys) == []
    monkeypatch.setenv("MEMWATCH_ALERT_CHANNELS", ", ".join(channels))
    assert texts(settings, **keys) == []
    assert conf.get_settings().alert_channels == tuple(channels)
    assert conf.get_settings().site_url == "https://ops.example.org"


def test_a_webhook_wants_a_secret(settings: Any) -> None:
    (text,) = texts(settings, ALERT_CHANNELS=["https://example.org/T0KEN"])
    assert 'MEMWATCH["WEBHOOK_SECRET"] is not set' in text
    assert "T0KEN" not in text


def test_messages_without_the_address_of_the_site_are_warned_of(settings: Any) -> None:
    (text,) = texts(settings, ALERT_CHANNELS=["mailto:ops@example.org"])
    assert 'MEMWATCH["SITE_URL"] is not set' in text
    for wrong in ("ops.example.org", "ftp://x", "https://x/?q=1", 7):
        (text,) = texts(settings, SITE_URL=wrong)
        assert text.endswith("give the address of the site, e.g. https://ops.example.org")


@pytest.mark.parametrize(
    ("database", "wanted"),
    [
        ({"ENGINE": "django.db.backends.sqlite3"}, ["memwatch.W001"]),
        ({"ENGINE": "x.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}}, []),
        (
            {"ENGINE": "x.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}, "ATOMIC_REQUESTS": True},
            ["memwatch.W002"],
        ),
        ({"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}, []),
    ],
)
def test_sqlite_is_wanted_fit_for_writers(settings: Any, database: dict[str, Any], wanted: list[str]) -> None:
    found = checks.check_database(databases=["default"], configured={"default": database})
    assert [message.id for message in found] == wanted


def test_atomic_requests_do_not_go_with_a_hub_that_a_worker_lends(settings: Any) -> None:
    settings.MEMWATCH = {"HUB_TRANSPORT": "worker"}
    for atomic, wanted in ((True, ["memwatch.W011"]), (False, [])):
        database = {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": atomic}
        found = checks.check_database(databases=["default"], configured={"default": database})
        assert [message.id for message in found] == wanted


def test_a_database_it_does_not_work_on_is_refused_before_the_tables_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checks.check_site()) == []
    monkeypatch.setattr(connections["default"], "vendor", "mysql")
    monkeypatch.setattr(connections["default"], "display_name", "MariaDB")
    (refusal,) = checks.check_site()
    assert (refusal.id, refusal.level) == ("memwatch.E006", ERROR)
    assert refusal.msg == "memwatch does not work on MariaDB, where its tables go"


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ("http://somewhere", 'MEMWATCH["TRANSPORT"] is "http://somewhere"'),
        ("local://relative/folder", 'MEMWATCH["TRANSPORT"] is local://relative/folder'),
        ("redis://user:secret@host:port/0", 'MEMWATCH["TRANSPORT"] is redis://***@host:port/0'),
        (7, 'MEMWATCH["TRANSPORT"] is 7'),
    ],
)
def test_a_wrong_transport_is_told_before_the_start(settings: Any, transport: object, said: str) -> None:
    text = texts(settings, TRANSPORT=transport)[0]
    assert said in text
    assert "secret" not in text


class _Router:
    """Sends memwatch where it is told to."""

    def __init__(self, *, read: str, write: str) -> None:
        self._read, self._write = read, write

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        return self._read if model._meta.app_label == "memwatch" else None

    def db_for_write(self, model: Any, **_hints: Any) -> str | None:
        return self._write if model._meta.app_label == "memwatch" else None


def test_users_in_another_database_than_memwatch_stop_the_start(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [_Router(read="ops", write="ops")]
    (found,) = checks._check_routers()
    assert (found.id, found.msg) == (
        "memwatch.E005",
        "memwatch's tables go to the database 'ops', users to 'default'",
    )
    assert "let the router send the application labels memwatch and auth to the same" in str(found.hint)


def test_reading_from_a_replica_is_warned_of(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [_Router(read="replica", write="default")]
    (found,) = checks._check_routers()
    assert found.id == "memwatch.W003"
    assert "written to the database 'default' and read from 'replica'" in found.msg
    assert "db_for_read return 'default' for the application label memwatch" in str(found.hint)
