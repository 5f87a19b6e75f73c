"""Different expressions."""

import datetime

import croniter

start = datetime.datetime(2026, 1, 1)
every = (f"{minute} {hour} {day} * *" for day in range(1, 28) for hour in range(24) for minute in range(60))


def call():
    croniter.croniter(next(every), start)
