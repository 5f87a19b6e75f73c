"""Takes memory in the cgroup it is started in: so many MB within so many seconds."""

import sys
import time

STEPS = 50


def main() -> None:
    mb, seconds = float(sys.argv[1]), float(sys.argv[2])
    kept = []
    for _ in range(STEPS):
        kept.append(b"\1" * int(mb / STEPS * 2**20))
        time.sleep(seconds / STEPS)


if __name__ == "__main__":
    main()
