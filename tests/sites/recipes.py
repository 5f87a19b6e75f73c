"""Well-known projects, each made as its own guide says, with SQLite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tests.sites.foreign import ForeignSite

SERVED = 'DEBUG = False\nALLOWED_HOSTS = ["127.0.0.1", "localhost"]\n'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a site, and what of it is looked at."""

    packages: tuple[str, ...]
    make: Callable[[ForeignSite], None]
    package: str = "mysite"
    settings: str = "mysite.settings"
    settings_file: str = "settings.py"
    admin: str = "/admin/"
    pages: tuple[str, ...] = ("/",)
    """Of the site's own, that answer 200 to anybody."""
    beat: tuple[str, ...] = ()
    """What beat is told besides."""
    catch_all: bool = False
    """The last of the site's routes takes every address."""


def wagtail(site: ForeignSite) -> None:
    """As ``wagtail start`` makes it."""
    site.run("wagtail", "start", "mysite", str(site.folder))
    site.write("settings/local.py", SERVED)


def cms(site: ForeignSite) -> None:
    """django CMS, installed by hand as its guide has it."""
    site.run("django-admin", "startproject", "mysite", str(site.folder))
    site.write(
        "settings.py",
        SERVED
        + """
INSTALLED_APPS += ["django.contrib.sites", "cms", "menus", "treebeard", "sekizai"]
SITE_ID, LANGUAGE_CODE, LANGUAGES = 1, "en", [("en", "English")]
CMS_CONFIRM_VERSION4 = True
X_FRAME_OPTIONS = "SAMEORIGIN"
STATIC_ROOT = BASE_DIR / "static"
MIDDLEWARE += [
    "django.middleware.locale.LocaleMiddleware", "cms.middleware.user.CurrentUserMiddleware",
    "cms.middleware.page.CurrentPageMiddleware", "cms.middleware.toolbar.ToolbarMiddleware",
    "cms.middleware.language.LanguageCookieMiddleware",
]
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "sekizai.context_processors.sekizai", "cms.context_processors.cms_settings",
    "django.template.context_processors.i18n",
]
CMS_TEMPLATES = [("page.html", "Page")]
""",
    )
    templates = site.folder / "templates"
    templates.mkdir()
    (templates / "page.html").write_text(
        "{% load cms_tags sekizai_tags %}<html><head>{% render_block 'css' %}</head><body>{% cms_toolbar %}"
        "{% placeholder 'content' %}{% render_block 'js' %}</body></html>"
    )
    site.write("urls.py", 'from django.urls import include\nurlpatterns += [path("", include("cms.urls"))]')


def oscar(site: ForeignSite) -> None:
    """A shop as "Building your own shop" of django-oscar has it."""
    site.run("django-admin", "startproject", "mysite", str(site.folder))
    site.write(
        "settings.py",
        SERVED
        + """
from oscar.defaults import *

INSTALLED_APPS += [
    "django.contrib.sites", "django.contrib.flatpages", "oscar.config.Shop",
    *(f"oscar.apps.{name}.apps.{config}Config" for name, config in (
        ("analytics", "Analytics"), ("checkout", "Checkout"), ("address", "Address"), ("shipping", "Shipping"),
        ("catalogue", "Catalogue"), ("catalogue.reviews", "CatalogueReviews"), ("communication", "Communication"),
        ("partner", "Partner"), ("basket", "Basket"), ("payment", "Payment"), ("offer", "Offer"), ("order", "Order"),
        ("customer", "Customer"), ("search", "Search"), ("voucher", "Voucher"), ("wishlists", "Wishlists"),
        ("dashboard", "Dashboard"), ("dashboard.reports", "ReportsDashboard"), ("dashboard.users", "UsersDashboard"),
        ("dashboard.orders", "OrdersDashboard"), ("dashboard.catalogue", "CatalogueDashboard"),
        ("dashboard.offers", "OffersDashboard"), ("dashboard.partners", "PartnersDashboard"),
        ("dashboard.pages", "PagesDashboard"), ("dashboard.ranges", "RangesDashboard"),
        ("dashboard.reviews", "ReviewsDashboard"), ("dashboard.vouchers", "VouchersDashboard"),
        ("dashboard.communications", "CommunicationsDashboard"), ("dashboard.shipping", "ShippingDashboard"),
    )),
    "widget_tweaks", "haystack", "treebeard", "sorl.thumbnail", "django_tables2",
]
SITE_ID = 1
STATIC_ROOT = BASE_DIR / "static"
MIDDLEWARE += [
    "oscar.apps.basket.middleware.BasketMiddleware", "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "oscar.apps.search.context_processors.search_form", "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend", "django.contrib.auth.backends.ModelBackend",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
""",
    )
    site.write(
        "urls.py",
        "from django.apps import apps\nfrom django.urls import include\n"
        'urlpatterns += [path("i18n/", include("django.conf.urls.i18n")), '
        'path("", include(apps.get_app_config("oscar").urls[0]))]',
    )


def wiki(site: ForeignSite) -> None:
    """django-wiki, as its guide installs it."""
    site.run("django-admin", "startproject", "mysite", str(site.folder))
    site.write(
        "settings.py",
        SERVED
        + """
INSTALLED_APPS += [
    "django.contrib.sites", "django.contrib.humanize", "django_nyt.apps.DjangoNytConfig", "mptt", "sekizai",
    "sorl.thumbnail", "wiki.apps.WikiConfig", "wiki.plugins.attachments.apps.AttachmentsConfig",
    "wiki.plugins.notifications.apps.NotificationsConfig", "wiki.plugins.images.apps.ImagesConfig",
    "wiki.plugins.macros.apps.MacrosConfig",
]
SITE_ID = 1
STATIC_ROOT = BASE_DIR / "static"
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "django.template.context_processors.i18n", "django.template.context_processors.media",
    "django.template.context_processors.static", "django.template.context_processors.tz",
    "sekizai.context_processors.sekizai",
]
""",
    )
    site.write(
        "urls.py",
        "from django.urls import include\n"
        'urlpatterns += [path("notifications/", include("django_nyt.urls")), path("", include("wiki.urls"))]',
    )


def unfold(site: ForeignSite) -> None:
    """A new project with the theme django-unfold for its admin and django-celery-beat for its timetable."""
    site.run("django-admin", "startproject", "mysite", str(site.folder))
    site.write(
        "settings.py",
        SERVED
        + """
INSTALLED_APPS = ["unfold", *INSTALLED_APPS, "django_celery_beat"]
STATIC_ROOT = BASE_DIR / "static"
""",
    )


RECIPES = {
    "wagtail": Recipe(
        packages=("wagtail",), make=wagtail, settings="mysite.settings.dev", settings_file="settings/base.py",
        admin="/django-admin/", pages=("/", "/admin/login/", "/search/?query=x"), catch_all=True,
    ),
    "oscar": Recipe(
        packages=("django-oscar", "sorl-thumbnail"), make=oscar, pages=("/catalogue/", "/basket/", "/search/?q=x"),
    ),
    "cms": Recipe(packages=("django-cms",), make=cms, pages=("/admin/login/",), catch_all=True),
    "unfold": Recipe(
        packages=("django-unfold", "django-celery-beat"), make=unfold, pages=("/admin/login/",),
        beat=("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"),
    ),
    "wiki": Recipe(packages=("wiki", "sorl-thumbnail"), make=wiki, pages=("/_accounts/login/",), catch_all=True),
}  # fmt: skip
