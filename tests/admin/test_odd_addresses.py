"""Addresses that somebody has typed: what cannot be asked is a bad request, in every list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import DateField, Model
from django.test import Client
from django.urls import reverse

from memwatch.models import Operations, Overview, TrackRecord, WorkRollup
from tests.admin.conftest import Fleet

MODELS = [
    model
    for model in apps.get_app_config("memwatch").get_models()
    if admin.site.is_registered(model)
    and model not in (Overview, Operations, TrackRecord, WorkRollup)  # pages, no lists
]
ODD = {
    "__year": ["99999", "0", "-1", "x"],
    "__gte": ["99999-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "x"],
    "__lt": ["0001-01-01 00:00:00+14:00"],
    "__exact": ["9" * 400, "\0"],
    "__year__gte": ["99999"],
    "__isnull": ["x"],
}


@pytest.fixture
def client(fleet: Fleet, login: Callable[..., Client]) -> Client:
    fleet.process()
    made = login("root")
    made.raise_request_exception = False
    return made


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_a_time_that_there_is_not_is_a_bad_request(client: Client, model: type[Model]) -> None:
    address = reverse(f"admin:memwatch_{model._meta.model_name}_changelist")
    fields: list[Any] = [field for field in model._meta.get_fields() if isinstance(field, DateField)]
    for field in fields:
        for lookup, values in ODD.items():
            for value in values:
                answer = client.get(address, {f"{field.name}{lookup}": value})
                assert answer.status_code in (200, 302, 400), (field.name, lookup, value, answer.status_code)
    for name in ("id__exact", "id", "pid__exact", "q", "p", "o", "e"):
        for value in ("9" * 400, "-1", "\0", "x"):
            assert client.get(address, {name: value}).status_code in (200, 302, 400), (name, value)
    if fields:
        assert client.get(address, {f"{fields[0].name}__year": "99999"}).status_code == 400
