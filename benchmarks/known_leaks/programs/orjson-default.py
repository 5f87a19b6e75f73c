"""A default function that raises."""

import orjson


class Thing:
    pass


def refuse(value):
    raise ValueError("no")


def call():
    try:
        orjson.dumps(Thing(), default=refuse)
    except orjson.JSONEncodeError:
        pass
