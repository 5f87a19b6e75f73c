"""Templates, URLs and translations that load with the first requests to each page."""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import client

CASE = Case(half="scoring", what="template and URL warm-up over 60 pages")
_get: Any = None


def setup() -> None:
    global _get

    def view(request: Any) -> Any:
        from django.http import HttpResponse
        from django.template import engines

        page = int(request.GET["page"])
        names = [f"page{page}.html"] if page % 2 else [f"page{page}.html", "base.html"]
        engine = engines["django"]
        return HttpResponse("".join(engine.get_template(name).render({"page": page}) for name in names))

    _get = client(view, templates={"base.html": "{{ page }}"} | {f"page{n}.html": _template(n) for n in range(60)})


def _template(number: int) -> str:
    return "{% for x in 'abc' %}<p>{{ x|upper }} {{ page|add:1 }}</p>{% endfor %}" * (1 + number % 9)


def step(i: int) -> None:
    if i % 20 == 0:
        _get(f"/?page={i // 20 % 60 if i % 60 else i // 400 % 60}")
