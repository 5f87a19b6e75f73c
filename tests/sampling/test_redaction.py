"""Command lines without their secrets."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memwatch.sampling.redaction import MAX_COMMAND_LINE, command_line, redact

SECRET = "hunter2-S3cr3t"


@pytest.mark.parametrize(
    "arguments",
    [
        ["app", "--password", SECRET],
        ["app", f"--password={SECRET}"],
        ["app", "--db-password", SECRET, "--port", "80"],
        ["app", "--api-key", SECRET],
        ["app", "--api_key", SECRET],
        ["app", f"API_KEY={SECRET}"],
        ["app", f"TOKEN={SECRET}"],
        ["app", f"AWS_SECRET_ACCESS_KEY={SECRET}"],
        ["app", f'SECRET_KEY="{SECRET} and more {SECRET}"'],
        ["app", f"https://host/path?user=me&password={SECRET}&x=1"],
        ["app", f"--dsn=postgres://me:{SECRET}@db:5432/shop"],
        ["app", "-b", f"redis://:{SECRET}@cache:6379/0"],
        ["app", f"amqp://me:{SECRET}@with@host//"],
        ["app", f"https://{SECRET}@host/"],
        ["app", f"Authorization: Bearer {SECRET}"],
        ["app", "-H", f"Authorization: Basic {SECRET}"],
        ["app", f"bearer {SECRET}"],
        ["app", "--token", f"-{SECRET}"],
        ["app", f"--token:{SECRET}"],
        ["sh", "-c", f"PGPASSWORD={SECRET} psql"],
        ["app", f"passphrase = {SECRET}"],
        ["app", f'{{"password": "{SECRET}"}}'],
        ["app", f"{{'client_secret': '{SECRET}'}}"],
        ["app", f"postgres://me:a/{SECRET}@db:5432/shop"],
        ["app", f"redis://:a?{SECRET}#b@cache:6379/0"],
        ["app", f"DefaultEndpointsProtocol=https;AccountName=me;AccountKey={SECRET};"],
        ["app", "--signing-key", SECRET],
        ["app", f"--password=a,{SECRET};b&{SECRET} c"],
        ["app", f"SECRET_KEY=a;b,{SECRET}"],
        ["app", "--user", f"me:{SECRET}"],
        ["app", "-u", f"me:a:{SECRET}"],
        ["app", "--license-key", SECRET],
        ["app", f"--user=me:{SECRET}"],
        ["app", f"-ume:{SECRET}"],
        ["app", f"https://host/blob?sv=1&sig={SECRET}&se=2"],
        ["app", f"Cookie: {SECRET}"],
    ],
)
def test_secrets_are_hidden(arguments: list[str]) -> None:
    shown = command_line(arguments)
    assert SECRET not in shown
    assert "***" in shown
    assert shown.startswith(arguments[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ["gunicorn", "shop.wsgi", "--workers", "2", "--bind", "127.0.0.1:8000"],
        ["celery", "-A", "shop", "worker", "-l", "info", "--pool=prefork"],
        ["app", "--url", "https://host:8080/path@version?q=1"],
        ["app", "--url", "https://[::1]:8080/path@version?q=1"],
        ["app", "--monkey", "banana", "sk-learn", "eyJ.txt"],
        ["app", "a@example.org"],
        ["gunicorn", "-u", "www", "--config=app:settings", "--design=a:b"],
    ],
)
def test_what_is_no_secret_stays(arguments: list[str]) -> None:
    assert command_line(arguments) == " ".join(arguments)


def test_what_follows_a_secret_is_shown_again() -> None:
    assert command_line(["app", "--password", "x", "--port", "80"]) == "app --password *** --port 80"
    assert redact("postgres://me:x@db:5432/shop?sslmode=on") == "postgres://me:***@db:5432/shop?sslmode=on"


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1" * 18, "xoxb-123456789-abcdef", "sk_live_" + "4e" * 12, "AKIA" + "AB12" * 4,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_DEF",
    ],
)  # fmt: skip
def test_tokens_that_are_known_by_their_looks_are_hidden_without_a_name(token: str) -> None:
    assert token not in command_line(["app", token, f"run:{token}"])


@given(st.lists(st.text(max_size=100), max_size=12))
def test_any_arguments_give_one_short_printable_line(arguments: list[str]) -> None:
    shown = command_line(arguments)
    assert len(shown) <= MAX_COMMAND_LINE
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize("unit", ["a", "a.-", "a://", "a://b:c/", "://b:", "auth", "eyJ", "token ", "-", '"'])
def test_a_huge_command_line_holds_up_nobody(unit: str) -> None:
    """Python's regular expressions keep the lock that every thread of the watched program needs."""
    huge = unit * (10_000_000 // len(unit))
    assert command_line(["app", huge, "--port", "80"]) == "app … --port 80"
    assert len(command_line([*"app", *[unit * 1000] * 10_000])) == MAX_COMMAND_LINE


PASSWORDS = st.from_regex(r"[A-Za-z0-9!$%*+._~-]{9,30}", fullmatch=True)


@given(
    PASSWORDS,
    st.sampled_from(["--password", "--db-password", "--secret-key", "--auth-token", "--PASSWD"]),
    st.booleans(),
)
def test_no_generated_password_is_shown(password: str, option: str, joined: bool) -> None:
    arguments = ["app", f"{option}={password}"] if joined else ["app", option, password]
    assume(joined or not re.fullmatch(r"--[A-Za-z][\w-]*", password))  # another option: no parser would take it
    assert password not in command_line([*arguments, "--port", "80"])


@given(PASSWORDS, st.sampled_from(["postgres", "redis", "amqp", "mongodb+srv", "https"]))
def test_no_generated_password_of_a_url_is_shown(password: str, scheme: str) -> None:
    assert password not in command_line(["app", f"{scheme}://user-x:{password}@host:1234/name"])
