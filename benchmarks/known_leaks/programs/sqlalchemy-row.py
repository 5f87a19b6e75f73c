"""A row that is asked for what it does not have."""

import itertools

import sqlalchemy

with sqlalchemy.create_engine("sqlite://").connect() as connection:
    row = connection.execute(sqlalchemy.text("select 1 as a")).first()
numbers = itertools.count()


def call():
    getattr(row, f"missing_{next(numbers)}", None)
