"""A steady load on the shop: ``python -m shop.load --url http://127.0.0.1:8100 --rate 20``."""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import time
import urllib.error
import urllib.request

logger = logging.getLogger("shop.load")


PAGES = ("order", "discount", "receipt")
"""A customer looks at one to three of them, in this order."""


def get(url: str, page: str, number: int) -> bool:
    """Open one page of an order; whether the shop answered."""
    try:
        with urllib.request.urlopen(f"{url}/{page}/{number}/", timeout=10) as answer:  # noqa: S310 - our own shop
            answer.read()
    except (urllib.error.URLError, OSError):
        return False
    return True


def wait_until_it_answers(url: str, seconds: float = 60.0) -> None:
    """Give a shop that starts beside us time to come up."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and not get(url, PAGES[0], 0):
        time.sleep(0.2)


def main() -> None:
    """Place orders, evenly in time, until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8100")
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second (default: %(default)s)")
    options = parser.parse_args()
    chance = random.Random(1)  # noqa: S311 - no secret
    try:
        wait_until_it_answers(options.url)
        start, away = time.monotonic(), False
        for number in itertools.count(int(time.time()) % 1_000_000 * 100):
            taken = all(get(options.url, page, number) for page in PAGES if page == PAGES[0] or chance.random() < 0.7)
            if not taken and not away:
                logger.warning("the shop at %s does not answer; trying on", options.url)
            away = not taken
            if away:
                time.sleep(1)
            start += 1 / options.rate
            time.sleep(max(0.0, start - time.monotonic()))
            start = max(start, time.monotonic() - 1)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
