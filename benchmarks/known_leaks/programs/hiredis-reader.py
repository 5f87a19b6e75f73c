"""A reader whose errors are made by a method of its owner, as redis.asyncio has it."""

import hiredis


class Parser:
    def __init__(self):
        self.reader = hiredis.Reader(replyError=self.error)

    def error(self, text):
        return ValueError(text)


def call():
    Parser()
