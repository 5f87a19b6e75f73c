"""A component of django-components, with its cache on, in a page of each visitor.

Reported as django-components/django-components#1607 of 0.148.

Holder: ``render_id_to_cache_key`` of the cache extension: a dict of texts by texts.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="keys of rendered components",
    leaks="untracked",
    culprit=("untracked", "*.render_id_to_cache_key", "*CacheExtension"),
    holder=("*render_id_to_cache_key*",),
    leaking_release="django-components==0.148.0",
    fixed_release="django-components==0.149.0",
    requires=("django==5.1.4",),
    source="https://github.com/django-components/django-components/issues/1607",
)
_traffic = Traffic(219)
_Basket: Any = None
urlpatterns: list[Any] = []


def setup() -> None:
    global _Basket
    import django
    from django.conf import settings

    settings.configure(
        BASE_DIR=".",
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.staticfiles", "django_components"],
        STATIC_URL="static/",
        COMPONENTS={"autodiscover": False, "dirs": []},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    )
    django.setup()
    from django_components import Component

    class Basket(Component):
        """What a visitor wants to buy."""

        template = "<b>{{ count }} things</b>"

        class Cache:
            """The same for all who have as many."""

            enabled = True

        def get_template_data(self, args: Any, kwargs: Any, slots: Any, context: Any) -> dict[str, int]:
            return {"count": kwargs["count"]}

    _Basket = Basket


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        assert f"{i % 9} things" in _Basket.render(kwargs={"count": i % 9}, deps_strategy="ignore")
