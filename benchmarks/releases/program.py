"""The watched program: imports its dependencies, then works; ``LEAK_KB`` is kept by each job."""

import importlib
import os
import time

for name in os.environ["IMPORTS"].split():
    importlib.import_module(name)

LEAK = int(os.environ.get("LEAK_KB", "0")) * 1024
KEPT = []

while True:
    work = [bytes([number % 251]) * 512 for number in range(2_000)]
    if LEAK:
        KEPT.append(bytes(len(work)) + os.urandom(LEAK))
    del work
    time.sleep(0.25)
