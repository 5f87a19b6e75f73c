"""memwatch's pages, requested as a browser would: through the site's own handler, with its middleware.

Nothing is served and nothing is kept: no session is begun, and what a middleware writes into memwatch's database is
rolled back. The pages behind the login are requested as the first active superuser.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import FieldError
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import got_request_exception
from django.db import transaction
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, reverse, set_urlconf

from memwatch import conf
from memwatch.models import connection
from memwatch.queries.deployment.site import superuser
from memwatch.terminal.finding import Finding

PEOPLE, MACHINES = "people", "machines"


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What is requested."""

    what: str
    route: str
    readers: str
    """A page for people may send them elsewhere; a program takes nothing but an answer."""
    signed_in: bool = False
    module: str = "memwatch."
    """Where its view comes from: another one has taken its address."""


PAGES = (
    Page("login page", "admin:login", PEOPLE, module=""),
    Page("admin overview", "admin:memwatch_overview_changelist", PEOPLE, signed_in=True, module=""),
    Page("API", "memwatch-api:stats", MACHINES, signed_in=True),
    Page("API docs", "memwatch-api:docs", PEOPLE),
    Page("API schema", "memwatch-api:schema", MACHINES),
    Page("metrics", "memwatch-metrics", MACHINES),
    Page("healthz", "memwatch-healthz", MACHINES),
    Page("readyz", "memwatch-readyz", MACHINES),
)


def requests() -> Iterator[Finding]:
    """What each page answers."""
    visitor = _superuser()
    if visitor is None:
        text = "there is no active superuser: the pages behind the login were not requested"
        yield Finding(None, text, "Create one: manage.py createsuperuser.")
    try:
        handler = BaseHandler()
        handler.load_middleware()
    except Exception as error:  # noqa: BLE001 - a middleware of the site's may fail with anything
        yield Finding(False, f"the site's MIDDLEWARE cannot be loaded: {_said(error)}", "The web cannot start with it.")
        return
    for page in PAGES:
        if page.signed_in and visitor is None:
            continue
        with contextlib.suppress(NoReverseMatch):  # a line of its own says what has no URL
            yield _requested(page, reverse(page.route), handler, visitor if page.signed_in else None)


def _superuser() -> Any:
    if not apps.is_installed("django.contrib.auth"):
        return None
    try:
        return superuser()
    except FieldError:  # users of another make
        return None


def _requested(page: Page, url: str, handler: BaseHandler, visitor: Any) -> Finding:
    request = _request(url, visitor)
    host = request.META["HTTP_HOST"]
    what = f"{page.what}: {url}"
    failure: list[BaseException | None] = []

    def keep(**_kwargs: Any) -> None:
        failure.append(sys.exc_info()[1])

    got_request_exception.connect(keep)
    try:
        with _rolled_back(), _silent():
            answer = handler.get_response(request)
    except Exception as error:  # noqa: BLE001 - DEBUG_PROPAGATE_EXCEPTIONS, or a fault in the handler of faults
        return _failed(what, error)
    finally:
        got_request_exception.disconnect(keep)
        set_urlconf(None)  # a middleware's choice would hold for the next page's address
    status = answer.status_code
    if status >= 500 and failure and failure[-1] is not None and page.what != "readyz":
        return _failed(f"{what} answers {status}", failure[-1])
    taken = _taken_by(request, page)
    if status == 404 and _chosen_urlconf(request):
        text = f"{what} answers 404 on {host}: a middleware gives that host the routes of {_chosen_urlconf(request)}"
        return Finding(False, text, 'Include memwatch.urls there, or give MEMWATCH["SITE_URL"] a host that has it.')
    if taken:
        remedy = 'Put path("", include("memwatch.urls")) before it in urls.py, or below a path of its own.'
        return Finding(False, f"{what} is answered by another route of the site, {taken}", remedy)
    return _judged(page, what, host, status, answer)


def _judged(page: Page, what: str, host: str, status: int, answer: HttpResponseBase) -> Finding:
    if status == 200 or status == _expected(page):
        return Finding(True, f"{what} answers {status}")
    if 300 <= status < 400:
        text = f"{what} answers {status}, to {answer.headers.get('Location', '?')}"
        if page.readers == PEOPLE:
            return Finding(None, text, "That is right if the site has its own login page, or a second factor.")
        return Finding(
            False, text, "A program cannot sign in there: exempt this address in the middleware that redirects it."
        )
    if status == 400:
        return Finding(
            False,
            f"{what} answers 400 on {host}",
            "Check that ALLOWED_HOSTS contains the host. SITE_URL sets another one.",
        )
    return Finding(False, f"{what} answers {status}", "Find the middleware or setting of the site that refuses it.")


def _expected(page: Page) -> int | None:
    """What a page answers that is as it should be, beside 200."""
    own = conf.get_settings()
    if page.what == "metrics":
        return 404 if not own.metrics_enabled else 401 if not own.metrics_token else None
    return 503 if page.what == "readyz" else None  # lines of their own say what is missing


def _failed(what: str, error: BaseException) -> Finding:
    remedy = "See the traceback in the web's log."
    if "staticfiles manifest" in str(error):
        remedy = "Run manage.py collectstatic, and restart the web."
    return Finding(False, f"{what}: {_said(error)}", remedy)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _chosen_urlconf(request: WSGIRequest) -> str:
    """The routes that a middleware has chosen, where they are not the site's."""
    chosen = getattr(request, "urlconf", None) or django_settings.ROOT_URLCONF
    return "" if chosen == django_settings.ROOT_URLCONF else str(getattr(chosen, "__name__", chosen))


def _taken_by(request: WSGIRequest, page: Page) -> str:
    match = request.resolver_match
    if match is None:
        return ""
    view = match.func
    module = getattr(getattr(view, "cls", None) or getattr(view, "view_class", view), "__module__", "")
    expected = page.route.rpartition(":")[2]
    if match.url_name == expected and str(module).startswith(page.module):
        return ""
    return match.view_name or str(module)


def _request(url: str, visitor: Any) -> WSGIRequest:
    scheme, host = _where()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": url, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": host.partition(":")[0], "SERVER_PORT": "443" if scheme == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": host, "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "memwatch_doctor", "wsgi.url_scheme": scheme, "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }  # fmt: skip
    if scheme == "https" and django_settings.SECURE_PROXY_SSL_HEADER:
        header, value = django_settings.SECURE_PROXY_SSL_HEADER
        environ[header] = value
    token = conf.get_settings().metrics_token
    if token and url.endswith("metrics"):
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    request = WSGIRequest(environ)
    if visitor is not None:
        request._cached_user = visitor  # type: ignore[attr-defined]  # where Django's middleware keeps a session's user
    return request


def _where() -> tuple[str, str]:
    """Scheme and host: of ``SITE_URL``, or of the first that the site allows."""
    site = urlsplit(conf.get_settings().site_url)
    if site.netloc:
        return site.scheme, site.netloc
    allowed = [host.lstrip(".") for host in django_settings.ALLOWED_HOSTS if host not in ("", "*")]
    return "https" if django_settings.SECURE_SSL_REDIRECT else "http", next(iter(allowed), "localhost")


@contextlib.contextmanager
def _rolled_back() -> Iterator[None]:
    with transaction.atomic(using=connection.alias()):
        yield
        transaction.set_rollback(True, using=connection.alias())


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """No traceback in the doctor's lines, and no mail to the site's admins for a page that the doctor has asked for."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
