"""What a process runs, and its service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.sampling.identity.program import guess_program, guess_service

GUNICORN = ["/srv/.venv/bin/gunicorn", "shop.wsgi"]


@pytest.mark.parametrize(
    ("arguments", "worker_name", "parent", "program", "service"),
    [
        (GUNICORN, "", ["/usr/bin/python3.11", *GUNICORN], "gunicorn worker", "web"),
        (GUNICORN, "", ["gunicorn: master [shop.wsgi]"], "gunicorn worker", "web"),
        (GUNICORN, "", ["/sbin/init"], "gunicorn master", "web"),
        (["python", "-m", "gunicorn", "shop.wsgi"], "", ["bash"], "gunicorn master", "web"),
        (["/x/gunicorn/__main__.py", "a:b"], "", ["python", "-m", "gunicorn", "a:b"], "gunicorn worker", "web"),
        (["/x/bin/uvicorn", "shop.asgi:app"], "", ["bash"], "uvicorn", "web"),
        (["/x/bin/uvicorn", "a:b"], "SpawnProcess-1", ["python", "/x/bin/uvicorn", "a:b"], "uvicorn worker", "web"),
        (["/x/bin/celery", "-A", "shop", "worker"], "", [], "celery main", "worker"),
        (["python3.11", "-m", "celery", "-A", "shop", "worker", "-l", "info"], "", [], "celery main", "worker"),
        (["/x/lib/celery/__main__.py", "-A", "s", "worker"], "ForkPoolWorker-3", [], "celery child", "worker"),
        (["/x/bin/celery", "-A", "shop", "beat"], "", [], "celery beat", "beat"),
        (["/x/bin/celery", "-A", "shop", "worker", "-B"], "Beat", [], "celery beat", "beat"),
        (["/x/bin/celery", "-A", "shop", "worker", "-B"], "", [], "celery main", "worker"),
        (["manage.py", "runserver", "8000"], "", [], "manage.py runserver", "web"),
        (["/srv/manage.py", "import_prices", "--all"], "", [], "manage.py import_prices", "import_prices"),
        (["python", "-Wd", "-X", "dev", "manage.py", "send_mail"], "", [], "manage.py send_mail", "send_mail"),
        (["django-admin", "shell"], "", [], "manage.py shell", "shell"),
        (["manage.py", "memwatch_exporter"], "", [], "manage.py memwatch_exporter", "exporter"),
        (["/x/bin/airflow", "dag-processor"], "", [], "airflow dag-processor", "airflow-dag-processor"),
        (["/opt/jobs/report.py", "today"], "", [], "report.py", "report"),
        (["python", "-c", "print(1)"], "", [], "python -c", "python"),
        (["python", "-m", "my.tool", "x"], "", [], "my.tool", "my.tool"),
        ([], "", [], "python", "python"),
    ],
)
def test_programs(arguments: list[str], worker_name: str, parent: list[str], program: str, service: str) -> None:
    assert guess_program(arguments, worker_name=worker_name, parent_arguments=parent) == program
    assert guess_service(program) == service


@given(st.lists(st.text(max_size=40), max_size=6), st.lists(st.text(max_size=40), max_size=3))
def test_any_arguments_have_a_program_and_a_service(arguments: list[str], parent: list[str]) -> None:
    program = guess_program(arguments, parent_arguments=parent)
    assert program
    service = guess_service(program)
    assert 0 < len(service) <= 100
    assert "/" not in service
    assert service.isprintable()
