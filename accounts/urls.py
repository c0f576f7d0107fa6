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
    path(
        "api/account/<str:account_id>/status/history",
        views.AccountHistory.as_view(),
        name="account-status-history",
    ),
    path(
        "api/account/<str:account_id>/events",
        views.AccountEvents.as_view(),
        name="account-events",
    ),
    path("api/account/<str:account_id>/pii", views.Profile.as_view(), name="account-pii"),
    path(
        "api/account/<str:account_id>/pii/updateable-fields",
        views.ProfileFields.as_view(),
        name="account-pii-fields",
    ),
    path(
        "api/account/<str:account_id>/documents",
        views.Documents.as_view(),
        name="account-documents",
    ),
    path(
        "api/account/<str:account_id>/documents/upload",
        views.DocumentUploads.as_view(),
        name="account-document-upload",
    ),
    path(
        "api/account/<str:account_id>/documents/<str:document_id>",
        views.Statement.as_view(),
        name="account-document",
    ),
    path(
        "api/account/<str:account_id>/documents/<str:document_id>/download",
        views.StatementFile.as_view(),
        name="account-document-download",
    ),
    path("api/me", views.Me.as_view(), name="me"),
    path("api/user/preferences", views.Preferences.as_view(), name="preferences"),
    path(
        "api/user/preferences/buying-power",
        views.BuyingPowerPreference.as_view(),
        name="preferences-buying-power",
    ),
]
