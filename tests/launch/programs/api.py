"""FastAPI, with a router, a mount and a route that fails."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

app = FastAPI()


@app.get("/items/{item_id}")
def item(item_id: int) -> int:
    return item_id


@app.post("/items/{item_id}")
async def change(item_id: int) -> int:
    return item_id


@app.get("/boom")
async def boom() -> None:
    raise ValueError("of the test")


router = APIRouter(prefix="/shop")


@router.get("/{name}/page")
async def page(name: str) -> str:
    return name


async def inner(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("inner")


app.include_router(router, prefix="/v1")
app.mount("/sub/{tenant}", Starlette(routes=[Route("/in/{name}", inner)]))
