"""Python imports this at its start, because ``memwatch run`` has put its folder first on the path.

It leaves the path, lets the program's own ``sitecustomize`` run, and has the agent started. Children may be of any
Python: this file keeps to what Python 2.7 understands.
"""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_OLDEST = (3, 11)


def _leave_path():
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != _FOLDER]


def _run_next():
    """Import the program's own module of this name. What it raises, ``site`` is to see."""
    own = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if "sitecustomize" not in (getattr(error, "name", None), str(error).rpartition(" ")[2]):
            raise
    finally:
        if own is not None:
            sys.modules.setdefault("sitecustomize", own)


def _begin():
    if not os.environ.get("MEMWATCH_TRANSPORT"):
        return
    if sys.version_info < _OLDEST:
        _say_that_it_is_old()
        return
    try:
        import memwatch  # noqa: F401
    except ImportError:
        _load_from_here()
    from memwatch.launch import starter

    starter.begin()


def _load_from_here():
    """Of all that is installed beside it, memwatch alone: the program's own packages stay as they are."""
    from importlib.util import module_from_spec, spec_from_file_location

    package = os.path.dirname(os.path.dirname(_FOLDER))
    start = os.path.join(package, "__init__.py")
    spec = spec_from_file_location("memwatch", start, submodule_search_locations=[package])
    module = sys.modules["memwatch"] = module_from_spec(spec)
    spec.loader.exec_module(module)


def _say_that_it_is_old():
    """On the standard error of the program that was started, not on one that a program reads from its child."""
    run, own = os.environ.get("MEMWATCH_RUN", "").split(":")[1:], os.fstat(2)
    if run in ([], [str(own.st_dev), str(own.st_ino)]):
        line = "memwatch: Python %d.%d in process %d is not watched: it takes Python %d.%d or newer\n"
        os.write(2, (line % (sys.version_info[:2] + (os.getpid(),) + _OLDEST)).encode())


_leave_path()
try:
    _run_next()
finally:
    try:
        _begin()
    except Exception:  # noqa: BLE001, S110 - the program runs on, unwatched
        pass
