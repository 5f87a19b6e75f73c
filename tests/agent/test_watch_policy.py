"""Which processes are watched."""

from __future__ import annotations

import pytest

from memwatch.agent.watch_policy import LATER, NOW, WEB, Occasion, occasion


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/srv/.venv/bin/gunicorn shop.wsgi --workers 4", WEB),
        ("/srv/.venv/bin/uvicorn shop.asgi:application", WEB),
        ("/usr/lib/python3/site-packages/uvicorn/__main__.py shop.asgi:application", WEB),
        ("hypercorn shop.asgi", WEB),
        ("daphne shop.asgi:application", WEB),
        ("manage.py runserver --noreload", WEB),
        ("manage.py runserver", None),
        ("/bin/celery -A shop worker -B", NOW),
        ("/bin/celery -A shop beat", NOW),
        ("/bin/celery -A shop inspect active", None),
        ("/bin/celery -A shop call shop.work", None),
        ("/bin/celery -A shop purge", None),
        ("manage.py memwatch_exporter", NOW),
        ("manage.py memwatch_work", NOW),
        ("manage.py memwatch_work --once", None),
        ("manage.py run_stack", None),
        ("manage.py migrate", None),
        ("manage.py test shop", None),
        ("manage.py collectstatic --noinput", None),
        ("/srv/.venv/bin/django-admin shell", None),
        ("/usr/lib/python3/site-packages/django/__main__.py check", None),
        ("manage.py", None),
        ("manage.py consume_orders --help", None),
        ("manage.py consume_orders", LATER),
        ("consumer.py", LATER),
        ("python -c import", LATER),
        ("python", None),
        ("ipython", None),
        ("/srv/.venv/bin/pytest tests", None),
        ("/usr/lib/python3.11/unittest/__main__.py", None),
        ("/srv/.venv/bin/mypy shop", None),
        ("/usr/lib/python3/site-packages/mypy/__main__.py shop", None),
        ("/srv/.venv/bin/pylint shop", None),
        ("/srv/.venv/bin/sphinx-build docs built", None),
    ],
)
def test_what_lives_long_is_watched_and_what_is_over_soon_is_not(line: str, expected: Occasion | None) -> None:
    assert occasion(line.split(), environ={}, modules={}) == expected


def test_the_reloaders_child_is_watched_and_its_parent_is_not() -> None:
    assert occasion(["manage.py", "runserver"], environ={"RUN_MAIN": "true"}, modules={}) == WEB
    assert occasion(["manage.py", "runserver"], environ={}, modules={}) is None


def test_nothing_is_watched_under_pytest() -> None:
    assert occasion(["gunicorn", "shop.wsgi"], environ={}, modules={"_pytest": None}) is None


def test_uwsgi_is_known_by_its_module_because_it_has_no_arguments() -> None:
    assert occasion(["uwsgi"], environ={}, modules={"uwsgi": None}) == WEB
