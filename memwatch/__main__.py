"""``python -m memwatch``, the same as the command ``memwatch``."""

from memwatch.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
