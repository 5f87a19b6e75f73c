"""``python -m project.healthcheck URL``: 0 when the URL answers below 400; for containers, which have no curl."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def main(url: str) -> int:
    """The exit code; what is wrong goes to stderr."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the container's own URL
            return 0
    except (OSError, ValueError, urllib.error.HTTPError) as error:
        print(f"{url}: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
