"""A small simulation of Mesa for each order of a customer.

Reported as mesa/mesa#3179, and so in 3.3.1: the counters of the agents' numbers keep the models.

Holder: ``mesa.Agent._ids``, a defaultdict of the class by model.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="models of Mesa",
    leaks="objects",
    culprit=("*Model", "*Shop", "*Shopper", "*Agent", "*._ids", "*mesa*", "*Random"),
    holder=("*_ids*",),
    requires=("mesa==3.3.1", "numpy==2.1.3", "pandas==2.2.3"),
    source="https://github.com/mesa/mesa/issues/3179",
)
_traffic = Traffic(410)
_Shop: Any = None


def setup() -> None:
    global _Shop
    import mesa

    class Shopper(mesa.Agent):
        """Buys something in each step."""

        bought = 0

        def step(self) -> None:
            """One day."""
            self.bought += 1

    class Shop(mesa.Model):
        """Three shoppers."""

        def __init__(self, seed: int) -> None:
            super().__init__(seed=seed)
            for _ in range(3):
                Shopper(self)

        def step(self) -> None:
            """One day."""
            self.agents.do("step")

    _Shop = Shop


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        shop = _Shop(i)
        shop.step()
        assert len(shop.agents) == 3
        shop.remove_all_agents()
