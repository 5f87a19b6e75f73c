"""Pages that each customer may have a template of their own for, which hardly one has; with debugging left on.

Reported as django/django#6259 (ticket 26306): the cached loader keeps what was looked for in vain, and where.

Holder: ``Loader.get_template_cache`` of the cached loader, a dict by the template's name.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="templates that are not there",
    leaks="objects",
    culprit=("*TemplateDoesNotExist", "*Origin", "*.get_template_cache", "*.Loader"),
    holder=("*get_template_cache*",),
    requires=("django==5.1.4",),
    source="https://github.com/django/django/pull/6259",
)
_traffic = Traffic(310)
_engine: Any = None
_Context: Any = None


def setup() -> None:
    global _engine, _Context
    from django.conf import settings
    from django.template import Context, Engine

    settings.configure(USE_I18N=False)
    _Context = Context
    _engine = Engine(
        debug=True,
        dirs=["/nowhere/templates"],
        loaders=[
            (
                "django.template.loaders.cached.Loader",
                [
                    "django.template.loaders.filesystem.Loader",
                    ("django.template.loaders.locmem.Loader", {"shop.html": "<b>{{ count }} things</b>"}),
                ],
            )
        ],
    )


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        page = _engine.select_template([f"customers/{i}/shop.html", "shop.html"])
        assert "7 things" in page.render(_Context({"count": 7}))
