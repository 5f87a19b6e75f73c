"""A container of dependency-injector for each request, with the container of the application as its parent.

Reported as ets-labs/python-dependency-injector#790: the parent's providers remember each child's.

Holder: tuples of overrides in the providers of ``_application``, in C.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="child containers of dependency-injector",
    leaks="objects",
    culprit=("*DynamicContainer", "*dependency_injector*", "*providers.*"),
    holder=("*overrid*", "*_application*", "*Application*"),
    requires=("dependency-injector==4.41.0", "six==1.16.0"),
    source="https://github.com/ets-labs/python-dependency-injector/issues/790",
)
_traffic = Traffic(403)
_Request: Any = None
_application: Any = None


def _named(container: Any) -> str:
    return type(container).__name__


def setup() -> None:
    global _Request, _application
    from dependency_injector import containers, providers

    class Application(containers.DeclarativeContainer):
        """Made once."""

        __self__ = providers.Self()
        config = providers.Configuration(default={})
        name = providers.Factory(_named, __self__)

    class Request(containers.DeclarativeContainer):
        """Made for each request."""

        application = providers.Container(Application)

    _Request = Request
    _application = Application()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        request = _Request(application=_application)
        assert request.application is not None
