"""The routes of the ledger."""

from django.urls import path

from ledger import views

urlpatterns = [
    path("api/account/<str:account_id>/cash", views.AccountCash.as_view(), name="account-cash"),
    path(
        "api/account/<str:account_id>/ledger", views.AccountLedger.as_view(), name="account-ledger"
    ),
]
