"""Names the requests of Flask by their endpoints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from memwatch import wsgi
from memwatch.agent.work.job import cleaned
from memwatch.host_hooks import requests
from memwatch.host_hooks.reading import read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.work import NO_VIEW


def install() -> None:
    """Wrap what is loaded, once."""
    wrap_method(getattr(sys.modules.get("flask.app"), "Flask", None), "wsgi_app", _wsgi_app)
    contexts = sys.modules.get("flask.ctx")
    for name in ("RequestContext", "AppContext"):  # the second from Flask 3.2 on
        owner = vars(contexts).get(name) if contexts is not None else None
        wrap_method(owner, "match_request", _match_request)


def _no_view() -> str:
    return NO_VIEW


def _wsgi_app(original: Callable[..., Any]) -> Callable[..., Any]:
    def wsgi_app(self: Any, environ: Any, start_response: Any) -> Any:
        if requests.seen():
            requests.rename(NO_VIEW)
            return original(self, environ, start_response)
        return wsgi.answer(original.__get__(self), environ, start_response, _no_view)

    return wsgi_app


def _match_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint is known before the view runs."""

    def match_request(self: Any) -> Any:
        result = original(self)
        requests.rename(cleaned(read(read(read(self, "request"), "url_rule"), "endpoint")))
        return result

    return match_request
