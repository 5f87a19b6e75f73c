"""Run in the environment of one release: calls a program's ``call`` and prints what each call left behind, as JSON.

Imports nothing of the project: it runs on the Python and with the packages of the release.
"""

import gc
import importlib.util
import json
import sys

WARM_UP = 300
CALLS = 2000
BATCHES = 2
"""The second shows whether the growth goes on."""


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def figures():
    gc.collect()
    gc.collect()
    return len(gc.get_objects()), sys.getallocatedblocks(), resident()


def main(path: str) -> None:
    spec = importlib.util.spec_from_file_location("program", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    calls = getattr(program, "CALLS", CALLS)
    warm_up = getattr(program, "WARM_UP", min(WARM_UP, calls))
    for _ in range(warm_up):
        program.call()
    before, batches = figures(), []
    for _ in range(BATCHES):
        for _ in range(calls):
            program.call()
        after = figures()
        batches.append([round((b - a) / calls, 3) for a, b in zip(before, after)])
        before = after
    names = ("objects", "blocks", "rss_bytes")
    print(json.dumps({"calls": calls, **{n: [batch[i] for batch in batches] for i, n in enumerate(names)}}))


if __name__ == "__main__":
    main(sys.argv[1])
