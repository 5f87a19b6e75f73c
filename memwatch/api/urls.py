"""The API's routes, below ``/api/``."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from memwatch.api.docs import DocsView, SchemaView
from memwatch.api.views.anomalies import AnomalyView, ForecastView
from memwatch.api.views.deaths import DeathView
from memwatch.api.views.figures import BaselineView, SnapshotView
from memwatch.api.views.findings import AlertView, LeakView
from memwatch.api.views.fleet import CommandView, ProcessView, ServiceView, StatsView
from memwatch.api.views.notifications import NotificationView
from memwatch.api.views.recommendations import RecommendationView
from memwatch.api.views.recordings import RecordingView
from memwatch.api.views.recycling import RecycleView, RecyclingPolicyView
from memwatch.api.views.releases import ReleaseView
from memwatch.api.views.token import TokenView
from memwatch.api.views.work import WorkView

app_name = "memwatch-api"

router = SimpleRouter()
router.register("services", ServiceView, basename="service")
router.register("processes", ProcessView, basename="process")
router.register("snapshots", SnapshotView, basename="snapshot")
router.register("leaks", LeakView, basename="leak")
router.register("baselines", BaselineView, basename="baseline")
router.register("alerts", AlertView, basename="alert")
router.register("notifications", NotificationView, basename="notification")
router.register("commands", CommandView, basename="command")
router.register("recordings", RecordingView, basename="recording")
router.register("deaths", DeathView, basename="death")
router.register("recommendations", RecommendationView, basename="recommendation")
router.register("releases", ReleaseView, basename="release")
router.register("recycling/policies", RecyclingPolicyView, basename="recycling-policy")
router.register("recycles", RecycleView, basename="recycle")
router.register("anomalies", AnomalyView, basename="anomaly")
router.register("forecasts", ForecastView, basename="forecast")
router.register("work", WorkView, basename="work")

urlpatterns = [
    path("v1/stats/", StatsView.as_view({"get": "list"}), name="stats"),
    path("v1/token/", TokenView.as_view({"post": "create", "delete": "destroy"}), name="token"),
    path("v1/", include(router.urls)),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
]
