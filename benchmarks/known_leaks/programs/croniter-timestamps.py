"""Times that are computed from one expression."""

import datetime
import itertools

import croniter

start = datetime.datetime(2026, 1, 1)
minutes = itertools.count()


def call():
    croniter.croniter("*/5 * * * *", start + datetime.timedelta(minutes=5 * next(minutes))).get_next(datetime.datetime)
