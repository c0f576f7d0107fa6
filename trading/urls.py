"""The routes of trading."""

from django.urls import path

from trading.views import holdings, orders, proposals

urlpatterns = [
    path("api/trade", orders.Trades.as_view(), name="trade"),
    path("api/portfolio/<str:account_id>/orders", orders.Orders.as_view(), name="portfolio-orders"),
    path(
        "api/portfolio/<str:account_id>/orders/<str:order_id>",
        orders.Order.as_view(),
        name="portfolio-order",
    ),
    path(
        "api/portfolio/<str:account_id>/positions",
        holdings.Positions.as_view(),
        name="portfolio-positions",
    ),
    path(
        "api/account/<str:account_id>/balance", holdings.Balance.as_view(), name="account-balance"
    ),
    path("api/proposals", proposals.Proposals.as_view(), name="proposals"),
    path("api/proposals/<uuid:proposal_id>", proposals.Proposal.as_view(), name="proposal"),
    path(
        "api/proposals/<uuid:proposal_id>/approve",
        proposals.ProposalApproval.as_view(),
        name="proposal-approve",
    ),
    path(
        "api/proposals/<uuid:proposal_id>/reject",
        proposals.ProposalRejection.as_view(),
        name="proposal-reject",
    ),
]
