"""The routes of closing an account: each under the reference's prefix and under `/api/`."""

from django.urls import URLPattern, path

from closure import views


def _routes(prefix: str, name: str) -> list[URLPattern]:
    account = "<str:account_id>"
    found = [
        (f"check-readiness/{account}", "readiness", views.Readiness),
        (f"initiate/{account}", "initiate", views.Initiations),
        (f"status/{account}", "status", views.Status),
        (f"progress/{account}", "progress", views.Progress),
        (f"settlement-status/{account}", "settlement", views.SettlementStatus),
        (f"withdrawal-status/{account}/<str:transfer_id>", "withdrawal", views.WithdrawalStatus),
        ("cancel-orders", "cancel-orders", views.CanceledOrders),
        ("liquidate-positions", "liquidate-positions", views.LiquidatedPositions),
        (f"withdraw-funds/{account}", "withdraw-funds", views.Withdrawals),
        (f"close-account/{account}", "close-account", views.ClosedAccounts),
        (f"resume/{account}", "resume", views.Resumptions),
        (f"task-status/{account}", "task-status", views.TaskStatus),
        (f"cancel-task/{account}", "cancel-task", views.CanceledTasks),
        ("all-active-tasks", "all-active-tasks", views.ActiveTasks),
    ]
    return [
        path(f"{prefix}/{route}", view.as_view(), name=f"{name}-{what}")
        for route, what, view in found
    ]


urlpatterns = [
    *_routes("account-closure", "closure"),
    *_routes("api/account-closure", "api-closure"),
]
