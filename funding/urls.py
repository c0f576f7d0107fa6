"""The routes of funding."""

from django.urls import path

from funding import views

urlpatterns = [
    path(
        "create-ach-relationship-link",
        views.RelationshipLinks.as_view(),
        name="create-ach-relationship-link",
    ),
    path(
        "create-ach-relationship-manual",
        views.ManualRelationships.as_view(),
        name="create-ach-relationship-manual",
    ),
    path(
        "get-ach-relationships",
        views.Relationships.as_view(),
        name="get-ach-relationships",
    ),
    path(
        "get-ach-relationships/<str:account_id>",
        views.AccountRelationships.as_view(),
        name="get-ach-relationships-of-account",
    ),
    path("initiate-ach-transfer", views.Transfers.as_view(), name="initiate-ach-transfer"),
    path(
        "api/account/<str:account_id>/transfers",
        views.AccountTransfers.as_view(),
        name="account-transfers",
    ),
]
