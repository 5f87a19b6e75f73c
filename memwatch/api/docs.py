"""The OpenAPI schema and its pages, from files of our own: nothing is loaded from the network."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.utils import translation
from drf_spectacular.settings import patched_settings
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from memwatch import __version__
from memwatch.api.authentication import ApiTokenAuthentication
from memwatch.api.schema import Generator

SETTINGS = {
    "TITLE": "memwatch",
    "DESCRIPTION": "Memory of every Python process of a Django and Celery deployment.",
    "VERSION": __version__,
    "PREPROCESSING_HOOKS": [],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums"],
    "ENUM_NAME_OVERRIDES": {},
    "APPEND_COMPONENTS": {},
    "SERVERS": [],
    "TAGS": [],
    "COMPONENT_SPLIT_REQUEST": False,
}
"""What the schema says of itself, whatever the site's own SPECTACULAR_SETTINGS are."""


MOST_SCHEMAS = 20
"""Kept at most: one for each place it is mounted at and format."""
_schemas: dict[tuple[str, str], bytes] = {}
"""Making one takes half a second of CPU, anybody may ask, and it changes with the code alone."""
_making = threading.Lock()
"""drf-spectacular's settings are patched for the whole process: another thread would make its schema without ours."""


class SchemaView(SpectacularAPIView):
    """The schema of memwatch's own routes. It names routes and fields, no host and no process: anyone may read it."""

    urlconf = "memwatch.urls"
    generator_class = Generator
    schema = None
    authentication_classes = (ApiTokenAuthentication, SessionAuthentication)
    permission_classes = (AllowAny,)
    versioning_class = None
    throttle_classes = ()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        mounted_at = request.path.partition("/api/schema")[0]
        key = (mounted_at, request.accepted_renderer.media_type)
        known = _schemas.get(key)
        if known is not None:
            return HttpResponse(known, content_type=key[1])
        own = {**SETTINGS, "SCHEMA_PATH_PREFIX_INSERT": mounted_at}
        # What one client asks for, all are shown: one language, and none of the base class's `lang` and `version`.
        with _making, patched_settings(own), translation.override(settings.LANGUAGE_CODE):
            answer: Response = self._get_schema_response(request)  # type: ignore[no-untyped-call]

        def keep(made: Response) -> None:
            if len(_schemas) < MOST_SCHEMAS:
                _schemas[key] = made.content

        answer.add_post_render_callback(keep)
        return answer

    def _get_version_parameter(self, request: Request) -> None:
        return None


class DocsView(SpectacularSwaggerSplitView):
    """Swagger's page, its script apart: a content security policy need not allow inline ones."""

    template_name = "memwatch/api_docs.html"

    schema = None
    title = "memwatch"
    authentication_classes = (ApiTokenAuthentication, SessionAuthentication)
    permission_classes = (AllowAny,)
    versioning_class = None
    throttle_classes = ()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer

    def _get_schema_url(self, request: Request) -> str:
        namespace = request.resolver_match.namespace if request.resolver_match else ""
        return str(reverse(f"{namespace}:schema" if namespace else "schema"))

    @staticmethod
    def _swagger_ui_resource(filename: str) -> str:
        return static(f"drf_spectacular_sidecar/swagger-ui-dist/{filename}")

    @staticmethod
    def _swagger_ui_favicon() -> str:
        return static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")
