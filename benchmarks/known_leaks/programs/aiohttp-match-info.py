"""Requests with a method that has no route, in an application with a middleware."""

import asyncio

import aiohttp
from aiohttp import web

CALLS = 300
WARM_UP = 1_100
"""Until the cache of 3.10.11, which has a bound, is full."""


@web.middleware
async def middleware(request, handler):
    return await handler(request)


async def start():
    application = web.Application(middlewares=[middleware])
    application.router.add_get("/", lambda request: web.Response())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return aiohttp.ClientSession(), f"http://127.0.0.1:{runner.addresses[0][1]}/"


loop = asyncio.new_event_loop()
session, address = loop.run_until_complete(start())


async def post():
    async with session.post(address) as answer:
        await answer.read()


def call():
    loop.run_until_complete(post())
