"""memwatch's routes for a site to include: the API, the metrics, the health of the web process.

The API needs the extra ``api`` (and ``rest_framework`` installed), ``/metrics`` the extra ``prometheus``; a site
without them has no such route.
"""

import importlib.util

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path

from memwatch.health import healthz, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="memwatch-healthz"),
    path("readyz", readyz, name="memwatch-readyz"),
]

if apps.is_installed("rest_framework"):
    urlpatterns.append(path("api/", include("memwatch.api.urls")))

if importlib.util.find_spec("prometheus_client") is not None:
    urlpatterns.append(path("", include("memwatch.metrics.urls")))
