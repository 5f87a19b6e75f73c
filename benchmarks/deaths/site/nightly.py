"""A plain script with memwatch's agent: what the program of the benchmark wants of it is in a file."""

import django

django.setup()

from deathsite.deeds import wait_and_do  # noqa: E402

if __name__ == "__main__":
    wait_and_do("nightly")
