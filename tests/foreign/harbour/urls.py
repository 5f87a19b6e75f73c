"""The routes of the office: memwatch below a path of its own."""

import os

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("ops/", include("memwatch.urls"))]
if os.environ.get("SITE_ADMIN_ROUTE"):  # although django.contrib.admin is not installed
    urlpatterns.append(path("admin/", admin.site.urls))
