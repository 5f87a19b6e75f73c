"""``memwatch attach PID``: puts the agent into a process that runs already, by ``sys.remote_exec`` of Python 3.14.

The interpreter of the process opens a script of ours when it next executes Python, and runs it. The script and the
answer lie in a folder that belongs to the user of the process. Its user could change both: that harms its own program,
and what is read here is bounded. The folder is made under this command's own root, where ``sys.remote_exec`` looks for
the script as well, never below ``/proc/PID/root``: there that user may put links and mounts in the way of root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from memwatch.launch import attached
from memwatch.sampling.type_names import clean

OLDEST = (3, 14)
_NAME, _ANSWER = "memwatch_attach.py", "answer"
_MOST_ANSWER, _MOST_REASON = 8 << 20, 500
_EVERY_S = 0.05
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - the folder in there has a name of chance
_SYS_PTRACE = 19
"""The number of the capability."""
_SCRIPT = """\
def _attach():
    try:
        import os, sys
        os.unlink({script!r})
        try:
            import memwatch
        except ImportError:
            from importlib.util import module_from_spec, spec_from_file_location
            package = {package!r}
            if not os.path.isfile(package + "/__init__.py"):
                raise ImportError("install memwatch for " + sys.executable)
            spec = spec_from_file_location("memwatch", package + "/__init__.py", submodule_search_locations=[package])
            memwatch = sys.modules["memwatch"] = module_from_spec(spec)
            spec.loader.exec_module(memwatch)
        from memwatch.launch import attached
        attached.begin({what!r}, {environ!r}, {answer!r})
    except BaseException as error:
        try:
            with open({answer!r}, "x") as file:
                file.write({failed!r} + "\\n" + str(error))
        except Exception:
            pass
_attach()
del _attach
"""
_WITHDRAWN = """\
def _clean():
    import os
    for name in os.listdir({folder!r}):
        os.unlink({folder!r} + "/" + name)
    os.rmdir({folder!r})
try:
    _clean()
except OSError:
    pass
del _clean
"""
"""In place of a script whose wait has ended: the process may still open it hours later."""


class CannotAttach(Exception):  # noqa: N818 - a state more than an error
    """The text says what is missing, and what to do."""


def attach(pid: int, what: str, environ: Mapping[str, str], *, within_s: float) -> str:
    """Have the process do ``what``, one of those in :mod:`memwatch.launch.attached`. Gives the text of its answer.

    Raises :class:`CannotAttach`.
    """
    execute: Callable[[int, str], None] | None = getattr(sys, "remote_exec", None)
    if execute is None:
        raise CannotAttach(_too_old(pid))
    if not Path(f"/proc/{pid}").is_dir():
        raise CannotAttach(f"there is no process {pid} here")
    with _folder_for(pid) as folder:
        folder.write(
            _SCRIPT,
            {
                "package": str(Path(__file__).parents[1]),
                "what": what,
                "environ": dict(environ),
                "failed": attached.FAILED,
            },
        )
        folder.give_away()
        try:
            execute(pid, folder.script)
        except PermissionError:
            folder.asked = False
            raise CannotAttach(_missing_right(pid)) from None
        except (OSError, RuntimeError) as error:
            folder.asked = False
            own = ".".join(map(str, sys.version_info[:2]))
            raise CannotAttach(
                f"process {pid} takes no agent: {error}. It must run the same Python as this command ({own}), "
                "with remote debugging not switched off"
            ) from None
        word, text = _answer(pid, folder, within_s)
    if word == attached.FAILED:
        raise CannotAttach(f"process {pid}: {clean(text)[:_MOST_REASON]}")
    return text


class Folder:
    """A new folder of the user of the process. What lies in it is reached by descriptor: that user may move it."""

    def __init__(self, outside: str, inside: str, pid: int) -> None:
        self._outside, self._inside = outside, inside
        self._owner = os.stat(f"/proc/{pid}")  # noqa: PTH116 - a descriptor's worth
        self._descriptor = os.open(outside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.asked = False
        """Whether the process may open the script."""

    def is_seen_by(self, pid: int) -> bool:
        """Whether the process finds this very folder under the same name: else it has another root, or other mounts."""
        try:
            seen = os.stat(f"/proc/{pid}/root{self._inside}", follow_symlinks=False)  # noqa: PTH116 - as above
        except FileNotFoundError:
            return False
        return os.path.samestat(seen, os.fstat(self._descriptor))

    @property
    def script(self) -> str:
        """As the process sees it; it is asked to open it."""
        self.asked = True
        return f"{self._inside}/{_NAME}"

    def write(self, text: str, values: Mapping[str, object]) -> None:
        """The script."""
        names = {"script": f"{self._inside}/{_NAME}", "answer": f"{self._inside}/{_ANSWER}", "folder": self._inside}
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_NAME, flags, 0o600, dir_fd=self._descriptor)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text.format(**names, **values))
            self._give(descriptor)

    def give_away(self) -> None:
        """To the user of the process."""
        self._give(self._descriptor)

    def _give(self, descriptor: int) -> None:
        if self._owner.st_uid == os.geteuid():  # who may not be in the process's group
            return
        try:
            os.fchown(descriptor, self._owner.st_uid, self._owner.st_gid)
        except PermissionError:
            raise CannotAttach("no right to give a file to the user of the process: run this as that user") from None

    def answer(self) -> str | None:
        """What it has answered, if it has."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(_ANSWER, flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotAttach(f"the answer cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CannotAttach("the answer is no regular file")
            return file.read(_MOST_ANSWER).decode(errors="replace")

    def withdraw(self) -> bool:
        """Whatever the process opens later does nothing but remove the folder. False where it has opened the script."""
        try:
            os.unlink(_NAME, dir_fd=self._descriptor)
        except FileNotFoundError:
            return False
        self.write(_WITHDRAWN, {})
        return True

    def close(self, *, remove: bool) -> None:
        """Give up the descriptor."""
        if remove:
            for name in (_NAME, _ANSWER, f"{_ANSWER}.part"):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._descriptor)
            with contextlib.suppress(OSError):
                os.rmdir(self._outside)  # noqa: PTH106 - no link is followed
        os.close(self._descriptor)


@contextlib.contextmanager
def _folder_for(pid: int) -> Iterator[Folder]:
    """Removed again, unless the process may open the script later: that one then removes it."""
    trouble: OSError | None = None
    for place in _PLACES:
        try:
            path = tempfile.mkdtemp(prefix="memwatch-", dir=place)
        except OSError as error:
            trouble = trouble or error
            continue
        try:
            folder = Folder(path, path, pid)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.rmdir(path)  # noqa: PTH106 - no link is followed
            trouble = trouble or error
            continue
        try:
            seen = folder.is_seen_by(pid)
        except OSError as error:
            seen, trouble = False, trouble or error
        if not seen:
            folder.close(remove=True)
            continue
        opened = False
        try:
            yield folder
            opened = True
        finally:
            later = folder.asked and not opened and Path(f"/proc/{pid}").is_dir() and folder.withdraw()
            folder.close(remove=not later)
        return
    if isinstance(trouble, PermissionError):
        raise CannotAttach(_missing_right(pid))
    if trouble is None:
        raise CannotAttach(f"process {pid} sees other files than this command: run it in the container of the process")
    raise CannotAttach(f"process {pid} has no folder for a file of ours (/tmp, /var/tmp, /dev/shm): {trouble}")


def _answer(pid: int, folder: Folder, within_s: float) -> tuple[str, str]:
    """Its word and text."""
    deadline = time.monotonic() + within_s
    while True:
        found = folder.answer()
        if found is not None:
            word, _, text = found.partition("\n")
            return word, text
        if not Path(f"/proc/{pid}").is_dir():
            raise CannotAttach(f"process {pid} has ended")
        if time.monotonic() > deadline:
            break
        time.sleep(_EVERY_S)
    if folder.withdraw():
        raise CannotAttach(
            f"process {pid} has executed no Python for {within_s:g} seconds: its main thread waits or computes "
            "elsewhere. Nothing was changed; try again with a larger --within"
        )
    raise CannotAttach(f"process {pid} has begun, and not finished in {within_s:g} seconds: try again")


def _too_old(pid: int) -> str:
    found = ".".join(map(str, sys.version_info[:2]))
    wanted = ".".join(map(str, OLDEST))
    program = ""
    with contextlib.suppress(OSError):
        program = str(Path(f"/proc/{pid}/exe").readlink())
    hint = f": {program} -m memwatch attach {pid}" if "python" in program else ""
    return (
        f"this is Python {found}. Attaching needs Python {wanted} or newer, and the version of the program itself: "
        f"start this command with the program's own Python{hint}"
    )


def _missing_right(pid: int) -> str:
    """Why this user may not trace the process."""
    text = f"no right to trace process {pid}: "
    with contextlib.suppress(OSError):
        owner = Path(f"/proc/{pid}").stat().st_uid
        if os.geteuid() not in (0, owner):
            return f"{text}it belongs to user {_user(owner)}. Run this as that user, or as root"
    scope = ""
    with contextlib.suppress(OSError):
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    if scope == "3":
        return f"{text}kernel.yama.ptrace_scope is 3, so no process of this machine may until it is started again"
    if os.geteuid() == 0 or _has_capability():
        return f"{text}root lacks CAP_SYS_PTRACE here. Give it to the container (docker run --cap-add SYS_PTRACE)"
    if scope in ("1", "2"):
        return f"{text}kernel.yama.ptrace_scope is {scope}. Run this as root, or set it to 0 (sysctl)"
    return f"{text}run this as root, in the container of the process"


def _has_capability() -> bool:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        effective = next(line for line in lines if line.startswith("CapEff:")).split()[1]
        return bool(int(effective, 16) >> _SYS_PTRACE & 1)
    return False


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
