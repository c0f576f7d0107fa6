"""The routes of trading."""

from django.urls import path

from trading import views

urlpatterns = [
    path("api/trade", views.Trades.as_view(), name="trade"),
    path("api/portfolio/<str:account_id>/orders", views.Orders.as_view(), name="portfolio-orders"),
    path(
        "api/portfolio/<str:account_id>/orders/<str:order_id>",
        views.Order.as_view(),
        name="portfolio-order",
    ),
    path(
        "api/portfolio/<str:account_id>/positions",
        views.Positions.as_view(),
        name="portfolio-positions",
    ),
    path("api/account/<str:account_id>/balance", views.Balance.as_view(), name="account-balance"),
    path("api/proposals", views.Proposals.as_view(), name="proposals"),
    path("api/proposals/<uuid:proposal_id>", views.Proposal.as_view(), name="proposal"),
    path(
        "api/proposals/<uuid:proposal_id>/approve",
        views.ProposalApproval.as_view(),
        name="proposal-approve",
    ),
    path(
        "api/proposals/<uuid:proposal_id>/reject",
        views.ProposalRejection.as_view(),
        name="proposal-reject",
    ),
]
