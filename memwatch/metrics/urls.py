"""The route of the metrics."""

from django.urls import path

from memwatch.metrics.views import metrics

urlpatterns = [path("metrics", metrics, name="memwatch-metrics")]
