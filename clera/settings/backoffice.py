"""How the admin looks, and where its sidebar leads."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.text import format_lazy

Permission = Callable[[HttpRequest], bool]


def _may_view(app: str, model: str) -> Permission:
    def check(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}")

    return check


def _page(title: str, icon: str, app: str, model: str, query: str = "") -> dict[str, Any]:
    path = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {
        "title": title,
        "icon": icon,
        "link": format_lazy("{}{}", path, query) if query else path,
        "permission": _may_view(app, model),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Clera operations",
    "SITE_HEADER": "Clera",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "monitoring",
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "core.backoffice.dashboard.environment",
    "DASHBOARD_CALLBACK": "core.backoffice.dashboard.show",
    "COLORS": {
        "primary": {
            "50": "oklch(97.9% .021 166)",
            "100": "oklch(95% .052 163)",
            "200": "oklch(90.5% .093 164)",
            "300": "oklch(84.5% .12 165)",
            "400": "oklch(72% .11 168)",
            "500": "oklch(60% .095 170)",
            "600": "oklch(44% .075 172)",
            "700": "oklch(39% .065 172)",
            "800": "oklch(34% .055 173)",
            "900": "oklch(30% .045 173)",
            "950": "oklch(20% .035 174)",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    {"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")}
                ]
            },
            {
                "title": "Customers",
                "items": [
                    _page("Accounts", "badge", "accounts", "brokerageaccount"),
                    _page("Closures", "door_front", "closure", "closure"),
                    _page("Requests to close", "no_accounts", "closure", "closingrequest"),
                    _page("Documents asked for", "pending_actions", "accounts", "documentrequest"),
                    _page("Documents handed in", "upload_file", "accounts", "documentupload"),
                    _page("Changes of data", "contact_mail", "accounts", "contactchange"),
                    _page("What they were told", "notifications", "accounts", "accountevent"),
                    _page("Preferences", "tune", "accounts", "preferences"),
                ],
            },
            {
                "title": "Money",
                "items": [
                    _page("Linked banks", "account_balance", "funding", "achrelationship"),
                    _page("Bank sign-ins", "login", "funding", "linksession"),
                    _page("Plaid items", "cable", "funding", "plaiditem"),
                    _page("Banks removed", "link_off", "funding", "bankremoval"),
                    _page("Transfers", "sync_alt", "funding", "transfer"),
                    _page("Transfers stopped", "cancel_schedule_send", "funding", "cancellation"),
                    _page("Returned transfers", "undo", "funding", "transferreturn"),
                    _page("Proposals about lost ones", "gavel", "funding", "reviewverdict"),
                    _page("Limits", "speed", "funding", "transferlimit"),
                    _page("Ledger", "menu_book", "ledger", "entry"),
                    _page("Drift", "balance", "ledger", "drift"),
                    _page("Comparisons", "compare_arrows", "ledger", "ledgerbook"),
                    _page("Cash", "payments", "trading", "cashbalance"),
                ],
            },
            {
                "title": "Trading",
                "items": [
                    _page("Orders", "receipt_long", "trading", "order"),
                    _page("Stuck orders", "hourglass_bottom", "trading", "order", "?stuck=any"),
                    _page("Executions", "done_all", "trading", "execution"),
                    _page("Positions", "pie_chart", "trading", "position"),
                    _page("Position drift", "difference", "trading", "positiondrift"),
                    _page("Values by day", "show_chart", "portfolio", "valuation"),
                    _page("Days valued", "event_available", "portfolio", "bookvaluation"),
                    _page("Tax lots", "layers", "trading", "lot"),
                    _page("Realised gains", "trending_up", "trading", "lotclosing"),
                    _page("Corporate actions", "call_split", "trading", "sharemovement"),
                    _page("Lot methods", "sort", "trading", "lotpreference"),
                    _page("Proposals", "approval", "trading", "proposal"),
                    _page("Kill switch", "emergency", "trading", "killswitch"),
                    _page("Limits", "speed", "trading", "risklimit"),
                    _page("Restricted symbols", "block", "trading", "restrictedsymbol"),
                ],
            },
            {
                "title": "Agents",
                "items": [
                    _page("Conversations", "forum", "chat", "conversation"),
                    _page("Runs", "smart_toy", "chat", "run"),
                ],
            },
            {
                "title": "Market",
                "items": [
                    _page("Instruments", "candlestick_chart", "market", "instrument"),
                    _page("Wanted prices", "visibility", "market", "wantedsymbol"),
                ],
            },
            {
                "title": "System",
                "items": [
                    _page("Audit trail", "policy", "core", "auditentry"),
                    _page("API keys", "key", "core", "apikey"),
                    _page("Intent steps", "timeline", "core", "intentstep"),
                    _page("Inbox events", "inbox", "core", "inboxevent"),
                    _page("Stream cursors", "bookmark", "core", "streamcursor"),
                    _page("Leases", "lock_clock", "core", "leaserow"),
                    _page("Idempotency", "repeat_one", "core", "idempotencyrow"),
                ],
            },
            {
                "title": "Staff",
                "items": [
                    _page("Staff users", "person", "auth", "user"),
                    _page("Roles", "group", "auth", "group"),
                ],
            },
        ],
    },
}
