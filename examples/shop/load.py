"""A steady load on the shop: ``python -m shop.load --url http://127.0.0.1:8100 --rate 20``."""

from __future__ import annotations

import argparse
import itertools
import logging
import time
import urllib.error
import urllib.request

logger = logging.getLogger("shop.load")


def place(url: str, number: int) -> bool:
    """Place one order; whether the shop took it."""
    try:
        with urllib.request.urlopen(f"{url}/order/{number}/", timeout=10) as answer:  # noqa: S310 - our own shop
            answer.read()
    except (urllib.error.URLError, OSError):
        return False
    return True


def wait_until_it_answers(url: str, seconds: float = 60.0) -> None:
    """Give a shop that starts beside us time to come up."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and not place(url, 0):
        time.sleep(0.2)


def main() -> None:
    """Place orders, evenly in time, until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8100")
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second (default: %(default)s)")
    options = parser.parse_args()
    try:
        wait_until_it_answers(options.url)
        start, away = time.monotonic(), False
        for number in itertools.count(int(time.time()) % 1_000_000 * 100):
            taken = place(options.url, number)
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
