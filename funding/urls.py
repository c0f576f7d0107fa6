"""The routes of funding."""

from django.urls import path

from funding.views import banks, plaid, transfers

urlpatterns = [
    path(
        "create-ach-relationship-link",
        plaid.RelationshipLinks.as_view(),
        name="create-ach-relationship-link",
    ),
    path(
        "create-ach-relationship-manual",
        banks.ManualRelationships.as_view(),
        name="create-ach-relationship-manual",
    ),
    path(
        "get-ach-relationships",
        banks.Relationships.as_view(),
        name="get-ach-relationships",
    ),
    path(
        "get-ach-relationships/<str:account_id>",
        banks.AccountRelationships.as_view(),
        name="get-ach-relationships-of-account",
    ),
    path("initiate-ach-transfer", transfers.Transfers.as_view(), name="initiate-ach-transfer"),
    path(
        "api/account/<str:account_id>/transfers",
        transfers.AccountTransfers.as_view(),
        name="account-transfers",
    ),
]
