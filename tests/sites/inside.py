"""Run by a site's own Python: a superuser's session, memwatch's addresses with rows that are there, and who is watched.

Knows nothing of memwatch but its models' names: the site has the wheel, not this tree.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

NOT_OPENED = r"/(act|add|delete|flamegraph|download|difference|rehearsal|token|compare)/|_id>/$|admin.*/\d+/$"
"""What acts, redirects or wants more than a row."""


def session() -> str:
    """The key of a session of the user ``operator@example.org``, who is made where there is none."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    users = get_user_model()
    name = "operator@example.org"  # Label Studio's users have no other name than their address
    user = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()
    if user is None:
        who = {"email": name, users.USERNAME_FIELD: name}
        user = users._default_manager.create_superuser(**who, password="a long password 77")
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def addresses() -> list[str]:
    """Those that a GET opens."""
    from django.apps import apps
    from django.urls import get_resolver

    keys = {
        str(model._meta.model_name): model._default_manager.values_list("pk", flat=True).first()
        for model in apps.get_app_config("memwatch").get_models()
    }
    process = apps.get_model("memwatch", "Process")._default_manager.select_related("service").first()
    own = process and {
        "name": process.service.name, "service": process.service_id, "host": process.host, "slot": process.slot_number
    }  # fmt: skip
    found = set()
    for pattern in _patterns(get_resolver().url_patterns):
        where = pattern.replace("^", "")
        model = next((key for key in sorted(keys, key=len, reverse=True) if f"/{key}" in where), "process")
        values = {**dict.fromkeys(("object_id", "pk", "id"), keys[model]), **(own or {})}
        text = re.sub(
            r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>",
            lambda match, values=values: str(values.get(match[1] or match[2])),
            pattern,
        )
        text = "/" + re.sub(r"\\.|[\^$?]", "", text)
        if "None" not in text and not re.search(NOT_OPENED, text):
            found.add(text)
    return sorted(found)


def _patterns(found: list[Any], prefix: str = "") -> Iterator[str]:
    for item in found:
        where = prefix + str(item.pattern)
        if hasattr(item, "url_patterns"):
            yield from _patterns(item.url_patterns, where)
        elif _is_ours(item.callback, where):
            yield where


def _is_ours(view: Any, where: str) -> bool:
    module = getattr(getattr(view, "cls", view), "__module__", "")
    return "/memwatch/" in f"/{where}" or (module.startswith("memwatch.") and "metrics" not in where)


def watched() -> list[list[Any]]:
    """Service, program and number of snapshots of each process whose objects have been counted."""
    from django.apps import apps
    from django.db.models import Count, Max

    rows = apps.get_model("memwatch", "Process")._default_manager.filter(ended_at=None, outside=False)
    rows = rows.annotate(stored=Count("snapshots"), counted=Max("snapshots__total_objects")).filter(counted__gt=10_000)
    return sorted([list(row) for row in rows.values_list("service__name", "program", "stored")])


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    django.setup()
    told = {name: globals()[name]() for name in sys.argv[1:]}
    json.dump(told, sys.stdout)
