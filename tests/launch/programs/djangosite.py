"""A Django site that has not installed memwatch."""

from __future__ import annotations

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(SECRET_KEY="of-the-test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], INSTALLED_APPS=[])


def item(_request: HttpRequest, item_id: int) -> HttpResponse:
    return HttpResponse(str(item_id))


urlpatterns = [path("items/<int:item_id>", item, name="item")]
application = get_wsgi_application()
