"""Flask, with a blueprint, an answer that streams and a view that fails."""

from __future__ import annotations

from flask import Blueprint, Flask, Response

app = Flask(__name__)
shop = Blueprint("shop", __name__)


@app.route("/items/<int:item_id>")
def item(item_id: int) -> str:
    return str(item_id)


@shop.route("/page/<name>")
def page(name: str) -> Response:
    return Response(iter([name, "."]))


@app.route("/boom")
def boom() -> str:
    raise ValueError("of the test")


app.register_blueprint(shop)
