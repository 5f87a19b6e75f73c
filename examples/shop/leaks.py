"""Three leaks as they are met in the wild. The fourth is in ``models.py``."""

from django.dispatch import Signal

order_placed = Signal()


class PriceQuote:
    """What a basket costs."""

    def __init__(self, basket: list[int]) -> None:
        self.basket = basket
        self.total = sum(basket)


QUOTES: dict[str, PriceQuote] = {}
"""Leak: by request id, and no request ever comes again."""


def quote(request_id: str, basket: list[int]) -> PriceQuote:
    """The price of the basket, remembered for ever."""
    if request_id not in QUOTES:
        QUOTES[request_id] = PriceQuote(basket)
    return QUOTES[request_id]


class AuditReceiver:
    """Notes the orders of one request."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.orders = 0

    def __call__(self, sender: object, **kwargs: object) -> None:
        self.orders += 1


def audit(request_id: str) -> None:
    """Leak: a receiver is connected for each request and never disconnected."""
    order_placed.connect(AuditReceiver(request_id), weak=False)


FRAGMENTS: list[str] = []
"""Leak: rendered HTML kept "for debugging". Strings are not tracked by the garbage collector."""


def remember(html: str) -> None:
    """Keep the parts of the rendered page."""
    FRAGMENTS.extend(html.split("<!-- part -->"))
