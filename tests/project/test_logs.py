"""What the deployment's log says of requests that were refused."""

from __future__ import annotations

import io
import logging.config
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from project import settings as project_settings


@pytest.mark.django_db
def test_a_refused_request_of_a_signed_in_user_is_one_line(request: pytest.FixtureRequest) -> None:
    said = io.StringIO()
    configured: dict[str, Any] = project_settings.LOGGING
    made = logging.config.DictConfigurator(configured)
    handler = logging.StreamHandler(said)
    for name in configured["handlers"]["console"]["filters"]:
        handler.addFilter(made.configure_filter(dict(configured["filters"][name])))
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    request.addfinalizer(lambda: logger.removeHandler(handler))
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get("/admin/memwatch/leak/").status_code == 403
    assert said.getvalue().splitlines() == ["Forbidden (Permission denied): /admin/memwatch/leak/"]
