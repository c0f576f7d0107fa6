"""Routes that belong to no app."""

from django.urls import path

from core.api.health import Health, Ready

urlpatterns = [
    path("health", Health.as_view(), name="health-reference"),
    path("api/health", Health.as_view(), name="health"),
    path("api/ready", Ready.as_view(), name="ready"),
]
