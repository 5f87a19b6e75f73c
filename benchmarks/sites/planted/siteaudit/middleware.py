"""Every request comes by here; those that an audit wants are kept."""

from typing import Any, ClassVar

from siteaudit import pricing, querysets, registry
from siteaudit.switch import chosen
from siteaudit.tasks import collect


class AuditTrail:
    """The last requests, for the audit's page."""

    trail: ClassVar[list[Any]] = []

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        part = chosen()
        if part == "request":
            self.trail.append(request)  # leak: request
        elif part == "method":
            pricing.quote(request.path)
        elif part == "queryset":
            querysets.recent_of(request.path)
        elif part == "closure":
            registry.on_close(request.path)
        elif part == "task":
            collect.delay()
        return self.get_response(request)
