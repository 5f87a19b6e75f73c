"""Its one page: a rendered table of objects made for the request, some of them in cycles."""

import gc
import itertools
import os
import threading

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "host_settings")
application = get_wsgi_application()

TEMPLATE = engines["django"].from_string(
    "<table>{% for row in rows %}<tr><td>{{ row.number }}<td>{{ row.name|upper }}<td>{{ row.price|floatformat:2 }}</tr>"
    "{% endfor %}</table>"
)
ROWS = int(os.environ.get("HOST_ROWS", "60"))
BALLAST = [{"number": number, "tags": [str(number)]} for number in range(int(os.environ.get("HOST_BALLAST", "25000")))]


COLLECT_AT = int(os.environ.get("HOST_COLLECT_AT", "0"))
"""The request of each worker after which it collects all generations once; 0 for never."""
asked = itertools.count(1)


class Row:
    """One line of the table."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"article {number}"
        self.price = number * 1.17
        self.me = self if number % 10 == 0 else None


def page(request: HttpRequest) -> HttpResponse:
    """About two milliseconds of work, unless other rows are wanted."""
    if next(asked) == COLLECT_AT:
        gc.collect()
    return HttpResponse(TEMPLATE.render({"rows": [Row(number) for number in range(ROWS)]}, request))


def dump(request: HttpRequest) -> HttpResponse:
    """Begin a heap dump in a thread, as an agent would."""
    from memwatch import dump_heap

    threading.Thread(target=dump_heap, args=(request.GET["file"],)).start()
    return HttpResponse()


urlpatterns = [path("", page), path("dump/", dump)]
