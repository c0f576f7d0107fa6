"""Routes that belong to no app."""

from django.urls import path

from core.api.health import Health, Ready
from core.api.metrics import Metrics

urlpatterns = [
    path("health", Health.as_view(), name="health-reference"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("api/health", Health.as_view(), name="health"),
    path("api/ready", Ready.as_view(), name="ready"),
]
