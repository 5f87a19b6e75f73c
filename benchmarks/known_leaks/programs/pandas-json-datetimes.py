"""Datetimes with a time zone as JSON."""

import pandas

frame = pandas.DataFrame({"a": [1.0] * 50}, index=pandas.date_range("2019-01-01", periods=50, freq="s", tz="UTC"))
frame = frame.reset_index()
CALLS = 300


def call():
    frame.to_json(orient="values", date_format="iso")
