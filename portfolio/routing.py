"""Sockets of the portfolio app."""

from django.urls import path

from portfolio.consumers import live_value, live_values

urlpatterns = [
    path("ws/portfolio", live_values),  # type: ignore[arg-type]
    path("ws/portfolio/<str:account_id>", live_value),  # type: ignore[arg-type]
]
