"""The routes of the office: memwatch below a path of its own."""

from django.urls import include, path

urlpatterns = [path("ops/", include("memwatch.urls"))]
