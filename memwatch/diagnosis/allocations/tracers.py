"""Other tools that follow the allocations of this process."""

from __future__ import annotations

import sys

from memwatch.sampling.type_names import type_name


def memray_tracks() -> bool:
    """While it tracks, new threads begin with a function of its own, written in Cython; no other one is asked."""
    threading = sys.modules.get("threading")
    profile = None if "memray" not in sys.modules or threading is None else threading.getprofile()
    in_cython = type_name(type(profile)).endswith(".cython_function_or_method")
    return in_cython and str(profile.__module__).startswith("memray")
