"""A function for JSON that is set for a connection again and again."""

import json

from psycopg import adapt, postgres
from psycopg.types.json import set_json_dumps, set_json_loads

CALLS = 300


class Context:
    def __init__(self):
        self.adapters = adapt.AdaptersMap(postgres.adapters)


def call():
    context = Context()
    set_json_dumps(lambda value: json.dumps(value), context)
    set_json_loads(lambda text: json.loads(text), context)
