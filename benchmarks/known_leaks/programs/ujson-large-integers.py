"""JSON with an integer beyond 64 bits."""

import ujson

text = str(10**4000)


def call():
    ujson.loads(text)
