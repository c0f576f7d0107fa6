"""The routes of trading."""

from django.urls import path

from trading.views import account_orders, holdings, lots, orders, pending, proposals

urlpatterns = [
    path("api/trade", orders.Trades.as_view(), name="trade"),
    path("api/portfolio/<str:account_id>/orders", orders.Orders.as_view(), name="portfolio-orders"),
    path(
        "api/portfolio/<str:account_id>/orders/<str:order_id>",
        orders.Order.as_view(),
        name="portfolio-order",
    ),
    path(
        "api/account/<str:account_id>/orders",
        account_orders.AccountOrders.as_view(),
        name="account-orders",
    ),
    path(
        "api/account/<str:account_id>/orders/preview",
        account_orders.OrderPreview.as_view(),
        name="account-order-preview",
    ),
    path(
        "api/account/<str:account_id>/orders/<str:order_id>",
        account_orders.AccountOrder.as_view(),
        name="account-order",
    ),
    path(
        "api/account/<str:account_id>/orders/<str:order_id>/history",
        account_orders.AccountOrderHistory.as_view(),
        name="account-order-history",
    ),
    path("api/snaptrade/pending-orders", pending.PendingOrders.as_view(), name="pending-orders"),
    path(
        "api/snaptrade/queued-order/<uuid:order_id>",
        pending.QueuedOrder.as_view(),
        name="queued-order",
    ),
    path("api/snaptrade/market-status", pending.MarketStatus.as_view(), name="market-status"),
    path(
        "api/portfolio/<str:account_id>/positions",
        holdings.Positions.as_view(),
        name="portfolio-positions",
    ),
    path(
        "api/account/<str:account_id>/balance", holdings.Balance.as_view(), name="account-balance"
    ),
    path("api/account/<str:account_id>/lots", lots.Lots.as_view(), name="account-lots"),
    path("api/account/<str:account_id>/gains", lots.Gains.as_view(), name="account-gains"),
    path(
        "api/account/<str:account_id>/lot-method",
        lots.LotMethod.as_view(),
        name="account-lot-method",
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
