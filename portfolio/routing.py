"""Sockets of the portfolio app."""

from django.urls import path

from portfolio.consumers import live_value

urlpatterns = [path("ws/portfolio/<str:account_id>", live_value)]  # type: ignore[arg-type]
