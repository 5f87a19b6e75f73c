"""A session that asks for ever new paths of a site that has set a cookie."""

import asyncio
import itertools

import aiohttp
import yarl

numbers = itertools.count()


async def make():
    return aiohttp.CookieJar()


loop = asyncio.new_event_loop()
jar = loop.run_until_complete(make())
jar.update_cookies({"session": "1"}, yarl.URL("http://example.org/"))


def call():
    jar.filter_cookies(yarl.URL("http://example.org/") / "things" / str(next(numbers)))
