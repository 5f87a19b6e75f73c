"""Templates are compiled before the first request, so that no page makes a worker grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.template import Template, engines
from django.test import Client

from project import warm_up

PAGES = ("/admin/", "/admin/memwatch/overview/", "/admin/memwatch/leak/", "/admin/auth/user/add/", "/admin/login/")


@pytest.mark.django_db
def test_a_walk_through_the_admin_compiles_no_page_anew(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    engines["django"].engine.template_loaders[0].reset()
    assert warm_up.load_templates() > 50
    compiled: list[str] = []
    make = Template.__init__

    def note(self: Template, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        if self.origin.template_name and not str(self.origin.template_name).startswith("django/forms"):
            compiled.append(str(self.origin.template_name))

    monkeypatch.setattr(Template, "__init__", note)
    for page in PAGES:
        assert admin_client.get(page).status_code in {200, 302}
    assert compiled == []


def test_a_template_that_cannot_be_read_is_left_to_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin" / "nobody_has_this.html").write_text("{% nonsense %}")
    (tmp_path / "admin" / "nobody_has_that.html").write_text("fine")
    monkeypatch.setattr(warm_up, "get_app_template_dirs", lambda _name: (tmp_path,))
    assert warm_up.load_templates() == 1
