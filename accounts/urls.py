"""The routes of accounts."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("create-alpaca-account", views.Applications.as_view(), name="create-alpaca-account"),
    path(
        "api/account/<str:account_id>/status",
        views.AccountStatus.as_view(),
        name="account-status",
    ),
    path(
        "api/account/<str:account_id>/status/sync",
        views.AccountStatusSync.as_view(),
        name="account-status-sync",
    ),
    path("api/me", views.Me.as_view(), name="me"),
]
