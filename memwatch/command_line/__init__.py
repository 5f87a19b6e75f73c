"""The command ``memwatch``, for programs with and without Django."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

FAILED = 1


def parser() -> argparse.ArgumentParser:
    """With all its commands."""
    import argparse  # noqa: PLC0415 - memwatch run does without

    from memwatch.command_line import attach, heap, run  # noqa: PLC0415

    found = argparse.ArgumentParser(
        prog="memwatch",
        description="Memory of Python processes. A Django site has more: manage.py memwatch_doctor and others.",
    )
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run.add_to(commands)
    attach.add_to(commands)
    heap.add_to(commands)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["run"] and given[1:2] not in (["-h"], ["--help"]):
        from memwatch.launch import command  # noqa: PLC0415 - it adds to the start of a program: nothing else

        return command.main(given[1:])
    options = parser().parse_args(given)
    from memwatch.heapdump.format import HeapDumpError  # noqa: PLC0415

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
