"""A FastAPI program with one route."""

from __future__ import annotations

from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{number}")
def item(number: int) -> dict[str, int]:
    """Something small."""
    return {"number": number}
