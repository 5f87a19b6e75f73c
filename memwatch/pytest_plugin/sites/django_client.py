"""What Django's test client leaves behind by itself: it is no leak of the site."""

from __future__ import annotations

import sys
import weakref
from typing import Any


def forget_finalizers() -> None:
    """Each request connects signals again, and each connection leaves a finalizer on what outlives the request.

    These are on the client, and on a function of Django's that never ends; the connections themselves are gone.
    """
    client: Any = sys.modules.get("django.test.client")
    if client is None:
        return
    lasting = sys.modules["django.db"].close_old_connections
    registry: Any = weakref.finalize._registry  # type: ignore[attr-defined]
    for finalizer in list(registry):  # of pairs it would make tuples, amid which a collection may end some of them
        info = registry.get(finalizer)
        of = info.weakref() if info is not None else None
        if of is lasting or isinstance(of, client.ClientMixin):
            finalizer.detach()
