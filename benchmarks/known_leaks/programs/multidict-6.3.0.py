"""A multidict that is made, read and dropped."""

from multidict import CIMultiDict


def call():
    made = CIMultiDict([("First", "a" * 300), ("Second", "b" * 300)])
    made["Third"] = "c" * 300
    made.setdefault("Fourth", "d" * 300)
    list(made.items()), list(made.keys()), made.getall("first"), made.get("second")
    made == made.copy()
