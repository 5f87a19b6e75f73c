"""The command ``memwatch``, for programs with and without Django."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from memwatch.command_line import heap
from memwatch.heapdump.format import HeapDumpError

FAILED = 1


def parser() -> argparse.ArgumentParser:
    """With all its commands."""
    found = argparse.ArgumentParser(
        prog="memwatch",
        description="Memory of Python processes. A Django site has more: manage.py memwatch_doctor and others.",
    )
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    heap.add_to(commands)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except HeapDumpError as error:
        return _failed(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        return FAILED
    except OSError as error:
        return _failed(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _failed("interrupted")
    return code


def _failed(sentence: str) -> int:
    sys.stderr.write(f"memwatch: {sentence}\n")
    return FAILED
