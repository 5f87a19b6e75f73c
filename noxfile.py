"""The tests with other Pythons and Djangos: ``nox``, or ``nox -- tests/models`` for some. What lacks is skipped."""

from __future__ import annotations

import nox

PAIRS = [
    ("3.11", "5.2"),
    ("3.12", "5.2"), ("3.12", "6.0"), ("3.12", "6.1"),
    ("3.13", "5.2"), ("3.13", "6.0"), ("3.13", "6.1"),
]  # fmt: skip
"""Django 6 wants Python 3.12."""
MAIL = (
    "get_connection() is deprecated",
    "The 'connection' argument is deprecated",
    "Django 2028 will not have a default mailer",
)
"""Django 6.1 would have mail configured and sent as 5.2 cannot; both work. No other warning is let pass."""
EXTRAS = ".[django,api,prometheus,redis,postgres,flamegraph,terminal]"

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False


@nox.session
@nox.parametrize(("python", "django"), PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """The suite, with what pyproject.toml asks for and this Django; not with the locked requirements."""
    groups = [*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "project", "dev")]
    if django == "6.1":  # which django-celery-beat 2.9 refuses
        groups = [name for name in groups if name != "django-celery-beat"]
    session.install("-e", EXTRAS, *groups, "pip", f"django~={django}.0")
    session.run("python", "-m", "django", "--version")
    lenient = [f"-Wdefault:{text}" for text in MAIL]
    session.run("python", "-m", "pytest", *lenient, *session.posargs, env={"DJANGO_SETTINGS_MODULE": "tests.settings"})
