"""Routes of the deployment: the admin, and memwatch's API, metrics and health."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView


def favicon(_request: HttpRequest) -> HttpResponseRedirect:
    """Browsers ask for it at the root, whatever the pages say."""
    return HttpResponseRedirect(static("memwatch/icon.svg"))


admin.autodiscover()  # with settings_slim the admin does not do so itself

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("", include("memwatch.urls")),
]
