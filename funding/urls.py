"""The routes of funding."""

from django.urls import path

from funding.views import banks, plaid, transfers

urlpatterns = [
    path(
        "create-ach-relationship-link",
        plaid.RelationshipLinks.as_view(),
        name="create-ach-relationship-link",
    ),
    path("process-plaid-token", plaid.ProcessedTokens.as_view(), name="process-plaid-token"),
    path("webhook/plaid", plaid.Webhooks.as_view(), name="plaid-webhook"),
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
    path(
        "delete-ach-relationship",
        banks.RemovedRelationships.as_view(),
        name="delete-ach-relationship",
    ),
    path(
        "api/account/<str:account_id>/ach-relationships/<str:relationship_id>",
        banks.AccountRelationship.as_view(),
        name="account-relationship",
    ),
    path("initiate-ach-transfer", transfers.Transfers.as_view(), name="initiate-ach-transfer"),
    path(
        "api/account/<str:account_id>/transfers",
        transfers.AccountTransfers.as_view(),
        name="account-transfers",
    ),
    path(
        "api/account/<str:account_id>/transfers/<str:transfer_id>",
        transfers.AccountTransfer.as_view(),
        name="account-transfer",
    ),
]
