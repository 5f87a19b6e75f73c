"""A client that asks for ever other paths of a site with a cookie."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="aiohttp's cookie jar fills with empty cookies",
    leaks="objects",
    culprit=("http.cookies.SimpleCookie",),
    leaking_release="aiohttp==3.12.2",
    fixed_release="aiohttp==3.12.4",
    source="https://github.com/aio-libs/aiohttp/issues/11052",
)
_jar: Any = None
_url: Any = None


def setup() -> None:
    global _jar, _url
    import asyncio

    import aiohttp
    from yarl import URL

    _jar, _url = aiohttp.CookieJar(loop=asyncio.new_event_loop()), URL
    _jar.update_cookies({"session": "abc"}, URL("http://example.org/"))


def step(i: int) -> None:
    if i % 10 == 0:
        _jar.filter_cookies(_url(f"http://example.org/orders/{i}/lines"))
