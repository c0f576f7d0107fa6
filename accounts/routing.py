"""Sockets of the accounts app."""

from django.urls import path

from accounts.consumers import account_events

urlpatterns = [path("ws/account/<str:account_id>", account_events)]  # type: ignore[arg-type]
