"""Prices of what a page shows, worked out once."""

from functools import cache


class Price:
    """An amount and where it came from."""

    def __init__(self, amount: int, path: str) -> None:
        self.amount, self.path, self.parts = amount, path, [amount, amount // 2]


class Tariff:
    """What is asked for, for one visitor."""

    def __init__(self, path: str) -> None:
        self.path, self.rates = path, {"net": 100, "gross": 119}

    @cache  # noqa: B019  leak: method
    def price(self, amount: int) -> Price:
        """Kept for the next time; the tariff as well, since it is the first argument."""
        return Price(amount, self.path)  # leak: method


def quote(path: str) -> list[Price]:
    """Three prices for one visit."""
    tariff = Tariff(path)  # leak: method
    return [tariff.price(amount) for amount in (100, 200, 300)]  # leak: method
