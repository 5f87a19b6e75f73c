"""Does an installed wheel bring the compiled walk, and does it count right? Run by cibuildwheel, see pyproject.toml."""

from __future__ import annotations

import sys

from memwatch.sampling import Sampler
from memwatch.sampling.walk import census_method, native


class Kept:
    """Something to count."""


def main() -> int:
    """0 when it does."""
    kept = [Kept() for _ in range(1234)]
    counted = (Sampler().sample(census=True).top_objects or {}).get(f"{__name__}.Kept")
    if native() and counted == len(kept):
        return 0
    sys.stderr.write(f"memwatch: counted by {census_method()}: {counted} instead of {len(kept)}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
