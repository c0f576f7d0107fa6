"""
Who may do what: every route, socket, task and tool of Clera, each on a line of its own.

A new one fails the build until it stands here. To add a route, choose the line by what it shows:

    of_account(…)   something of one account, which the path, the query or the body names
    of_customer(…)  something of one customer that is named without an account: a run, a proposal
    own(…)          what the asker has; the request names nothing (`GET /api/me`)
    shared(…)       the same for everybody who has a credential (a company's profile)
    public(…)       open to everybody

Each says what all eight principals are answered: the owner `ok`, another customer 404, nobody and
an expired token 401, a key without the `scope` or without `act_for` 403. Whatever differs is said
with `answers={Who.CLOSED: 422}`. `query` and `body` are made from the asker's `Rows`; the tests
put the ids of others into every one of them. `python -m tests.authorization` prints the result.
"""

from typing import Final

from tests.authorization.kinds import (
    Route,
    Who,
    of_account,
    of_customer,
    own,
    own_socket,
    pages,
    public,
    shared,
    socket,
    task,
    tool,
)
from tests.authorization.requests import application, bank, passport, question


def closures(prefix: str) -> tuple[Route, ...]:
    """Closing an account, under one of its two prefixes; each customer has a stopped closure."""
    account, reads, money = "<str:account_id>", "funding:read", "funding:write"
    return (
        of_account("GET", f"{prefix}/check-readiness/{account}", scope=reads),
        of_account(
            "POST", f"{prefix}/initiate/{account}", scope=money, ok=202, answers={Who.CLOSED: 422},
            body=lambda it: {
                "ach_relationship_id": it.bank, "confirm_liquidation": True,
                "confirm_irreversible": True,
            },
        ),
        of_account("GET", f"{prefix}/status/{account}", scope=reads),
        of_account("GET", f"{prefix}/progress/{account}", scope=reads),
        of_account("GET", f"{prefix}/settlement-status/{account}", scope=reads),
        of_account("GET", f"{prefix}/withdrawal-status/{account}/<str:transfer_id>", scope=reads),
        of_account(
            "POST", f"{prefix}/cancel-orders", scope=money, ok=409,
            body=lambda it: {"account_id": it.account},
        ),
        of_account(
            "POST", f"{prefix}/liquidate-positions", scope=money, ok=409,
            body=lambda it: {"account_id": it.account},
        ),
        of_account(
            "POST", f"{prefix}/withdraw-funds/{account}", scope=money, ok=409,
            body=lambda it: {"ach_relationship_id": it.bank},
        ),
        of_account(
            "POST", f"{prefix}/close-account/{account}", scope=money, ok=409,
            body=lambda it: {"final_confirmation": True},
        ),
        of_account("POST", f"{prefix}/resume/{account}", scope=money, ok=409),
        of_account("GET", f"{prefix}/task-status/{account}", scope=reads),
        of_account("POST", f"{prefix}/cancel-task/{account}", scope=money, ok=202),
        own("GET", f"{prefix}/all-active-tasks", scope=reads),
    )  # fmt: skip


ROUTES: Final = (
    # core
    public("GET", "health"),
    public("GET", "metrics"),  # here without a token; core/tests/test_metrics.py has the rest
    public("GET", "api/health"),
    public("GET", "api/ready", ok=(200, 503)),
    # accounts
    own(
        "POST", "create-alpaca-account", scope="accounts:write", ok=201, unnamed=403,
        body=application, answers={Who.OWNER: 409, Who.OTHER: 403},
    ),
    of_account("GET", "api/account/<str:account_id>/status", scope="accounts:read"),
    of_account("POST", "api/account/<str:account_id>/status/sync", scope="accounts:write"),
    of_account("GET", "api/account/<str:account_id>/status/history", scope="accounts:read"),
    of_account("GET", "api/account/<str:account_id>/events", scope="accounts:read"),
    of_account("GET", "api/account/<str:account_id>/pii", scope="accounts:read"),
    of_account(
        "PATCH", "api/account/<str:account_id>/pii", scope="accounts:write",
        body=lambda it: {"contact": {"city": "Oakland"}}, answers={Who.CLOSED: 422},
    ),
    of_account("GET", "api/account/<str:account_id>/pii/updateable-fields", scope="accounts:read"),
    of_account("GET", "api/account/<str:account_id>/documents", scope="accounts:read"),
    of_account(
        "POST", "api/account/<str:account_id>/documents/upload", scope="accounts:write", ok=201,
        body=passport, answers={Who.CLOSED: 422},
    ),
    of_account(
        "GET", "api/account/<str:account_id>/documents/<str:document_id>", scope="accounts:read"
    ),
    of_account(
        "GET", "api/account/<str:account_id>/documents/<str:document_id>/download",
        scope="accounts:read",
    ),
    own("GET", "api/me", scope="accounts:read"),
    own("GET", "api/user/preferences", scope="accounts:read", unnamed=404),
    own(
        "PATCH", "api/user/preferences/buying-power", scope="accounts:write", unnamed=404,
        body=lambda it: {"buying_power": "cash_and_margin"},
    ),
    # ledger
    of_account("GET", "api/account/<str:account_id>/cash", scope="funding:read"),
    of_account("GET", "api/account/<str:account_id>/ledger", scope="funding:read"),
    # funding
    of_account(
        "POST", "create-ach-relationship-link", scope="funding:write",
        body=lambda it: {"accountId": it.account, "redirectUri": "https://app.example.com/callback"},
        answers={Who.OWNER: 409, Who.CLOSED: 422},
    ),
    of_account(
        "POST", "process-plaid-token", scope="funding:write", ok=201,
        body=lambda it: {"accountId": it.account, "publicToken": "public-sandbox-example"},
        answers={Who.OWNER: 409, Who.CLOSED: 422},
    ),
    public("POST", "webhook/plaid", ok=401),
    of_account(
        "POST", "create-ach-relationship-manual", scope="funding:write", ok=201, body=bank,
        answers={Who.OWNER: 409, Who.CLOSED: 422},
    ),
    of_account(
        "GET", "get-ach-relationships", scope="funding:read",
        query=lambda it: {"accountId": it.account},
    ),
    of_account(
        "POST", "get-ach-relationships", scope="funding:read",
        body=lambda it: {"accountId": it.account},
    ),
    of_account("GET", "get-ach-relationships/<str:account_id>", scope="funding:read"),
    of_account(
        "POST", "delete-ach-relationship", scope="funding:write",
        body=lambda it: {"accountId": it.account, "relationshipId": it.bank},
    ),
    of_account(
        "DELETE", "api/account/<str:account_id>/ach-relationships/<str:relationship_id>",
        scope="funding:write",
    ),
    of_account(
        "POST", "initiate-ach-transfer", scope="funding:write", ok=201,
        body=lambda it: {"accountId": it.account, "relationshipId": it.bank, "amount": "5.00"},
        answers={Who.CLOSED: 422},
    ),
    of_account("GET", "api/account/<str:account_id>/transfers", scope="funding:read"),
    of_account(
        "GET", "api/account/<str:account_id>/transfers/<str:transfer_id>", scope="funding:read"
    ),
    # It has arrived.
    of_account(
        "DELETE", "api/account/<str:account_id>/transfers/<str:transfer_id>",
        scope="funding:write", ok=422,
    ),
    # market
    shared("GET", "api/company/<str:ticker>", scope="market:read", fill={"ticker": "AAPL"}),
    # trading
    of_account(
        "POST", "api/trade", scope="trading:write", ok=201,
        body=lambda it: {
            "account_id": it.account, "ticker": "AAPL", "side": "BUY", "notional_amount": "6.25",
        },
        answers={Who.CLOSED: 422},
    ),
    of_account("GET", "api/portfolio/<str:account_id>/orders", scope="trading:read"),
    of_account(
        "GET", "api/portfolio/<str:account_id>/orders/<str:order_id>", scope="trading:read"
    ),
    of_account(
        "DELETE", "api/portfolio/<str:account_id>/orders/<str:order_id>", scope="trading:write"
    ),
    of_account("GET", "api/account/<str:account_id>/orders", scope="trading:read"),
    of_account(
        "POST", "api/account/<str:account_id>/orders", scope="trading:write", ok=201,
        body=lambda it: {"symbol": "AAPL", "side": "buy", "notional": "7.25"},
        headers={"Idempotency-Key": "an order"},
        answers={Who.CLOSED: 422},
    ),
    of_account("DELETE", "api/account/<str:account_id>/orders", scope="trading:write"),
    of_account(
        "POST", "api/account/<str:account_id>/orders/preview", scope="trading:write",
        body=lambda it: {"symbol": "AAPL", "side": "buy", "notional": "5.00"},
    ),
    of_account(
        "GET", "api/account/<str:account_id>/orders/<str:order_id>", scope="trading:read"
    ),
    # It is for dollars.
    of_account(
        "PATCH", "api/account/<str:account_id>/orders/<str:order_id>", scope="trading:write",
        ok=422, body=lambda it: {"qty": "2"}, headers={"Idempotency-Key": "a change"},
    ),
    of_account(
        "DELETE", "api/account/<str:account_id>/orders/<str:order_id>", scope="trading:write",
        ok=202,
    ),
    of_account(
        "GET", "api/account/<str:account_id>/orders/<str:order_id>/history", scope="trading:read"
    ),
    own("GET", "api/snaptrade/pending-orders", scope="trading:read"),
    # It is at the broker.
    of_customer(
        "DELETE", "api/snaptrade/queued-order/<uuid:order_id>", scope="trading:write", ok=400
    ),
    shared("GET", "api/snaptrade/market-status", scope="trading:read"),
    of_account("GET", "api/portfolio/<str:account_id>/positions", scope="trading:read"),
    of_account("GET", "api/account/<str:account_id>/balance", scope="trading:read"),
    of_account("GET", "api/account/<str:account_id>/lots", scope="trading:read"),
    of_account("GET", "api/account/<str:account_id>/gains", scope="trading:read"),
    of_account("GET", "api/account/<str:account_id>/lot-method", scope="trading:read"),
    of_account(
        "PUT", "api/account/<str:account_id>/lot-method", scope="trading:write",
        body=lambda it: {"method": "HIFO"},
    ),
    own("GET", "api/proposals", scope="trading:read"),
    of_customer("GET", "api/proposals/<uuid:proposal_id>", scope="trading:read"),
    of_customer(
        "POST", "api/proposals/<uuid:proposal_id>/approve", scope="trading:write",
        body=lambda it: {"hash": it.proposal_hash}, opens_to_services=False, unnamed=403,
        answers={Who.CLOSED: 422},
    ),
    of_customer("POST", "api/proposals/<uuid:proposal_id>/reject", scope="trading:write"),
    # closure
    *closures("account-closure"),
    *closures("api/account-closure"),
    # portfolio
    of_account(
        "GET", "api/portfolio/value", scope="portfolio:read",
        query=lambda it: {"accountId": it.account},
    ),
    of_account("GET", "api/account/<str:account_id>/funding-status", scope="funding:read"),
    # chat
    of_account(
        "POST", "api/chat", scope="chat:write", ok=202, body=question,
        headers={"Prefer": "respond-async"}, answers={Who.OTHER: 403},
    ),
    own("GET", "api/conversations", scope="chat:read"),
    of_customer("GET", "api/conversations/<uuid:conversation_id>", scope="chat:read"),
    of_customer("GET", "api/runs/<uuid:run_id>", scope="chat:read"),
    of_customer("GET", "api/runs/<uuid:run_id>/events", scope="chat:read"),
    # console, and the documentation of the API
    public("GET", ""),
    public("POST", ""),
    public("POST", "local/token", ok=404),
    public("GET", "api/schema/"),
    public("GET", "api/docs/"),
    public("GET", "api/redoc/"),
)  # fmt: skip

STAFF_PAGES: Final = pages(
    "admin/",
    open_to_staff=("", "search/", "jsi18n/", "password_change/", "password_change/done/"),
    doors=("login/", "logout/", "second-factor/", "second-factor/set-up/"),
)

SOCKETS: Final = (
    socket("ws/account/<str:account_id>", scope="accounts:read", first="hello"),
    own_socket("ws/portfolio", scope="portfolio:read", first="subscribed"),
    socket("ws/portfolio/<str:account_id>", scope="portfolio:read", first="snapshot"),
)

TASKS: Final = (
    task("accounts.apply_events"),
    task("accounts.follow_events"),
    task("accounts.heal_accounts"),
    task("accounts.refresh_account", account_id="account"),
    task("accounts.refresh_accounts"),
    task("accounts.sweep_applications"),
    task("accounts.sweep_changes"),
    task("accounts.sweep_documents"),
    task("accounts.sweep_mirror"),
    task("chat.answer_message", run_id="run"),
    task("chat.sweep_runs"),
    task("closure.advance_closure", closure_id="closure"),
    task("closure.sweep_closures"),
    task("core.anchor_audit"),
    task("core.beat_heartbeat"),
    task("core.beat_heartbeat_agents"),
    task("core.beat_heartbeat_money"),
    task("core.extend_audit"),
    task("funding.apply_events"),
    task("funding.apply_webhooks"),
    task("funding.follow_events"),
    task("funding.refresh_items"),
    task("funding.refresh_relationships"),
    task("funding.refresh_transfers"),
    task("funding.sweep_cancellations"),
    task("funding.sweep_links"),
    task("funding.sweep_relationships"),
    task("funding.sweep_removals"),
    task("funding.sweep_transfers"),
    task("funding.withdraw_verdicts"),
    task("ledger.apply_events"),
    task("ledger.ask_for_all"),
    task("ledger.compare_account", account_id="account"),
    task("ledger.compare_due"),
    task("ledger.follow_events"),
    task("market.follow_prices"),
    task("market.refresh_calendar"),
    task("market.refresh_instruments"),
    task("portfolio.value_book"),
    task("portfolio.want_held_prices"),
    task("trading.apply_events"),
    task("trading.expire_proposals"),
    task("trading.follow_events"),
    task("trading.heal_accounts"),
    task("trading.obey_switches"),
    task("trading.release_held"),
    task("trading.sweep_orders"),
    task("trading.sync_holdings", account_id="account"),
)

TOOLS: Final = (
    tool("get_portfolio_summary"),
    tool(
        "propose_trade",
        "symbol",
        "side",
        "notional",
        "quantity",
        "order_type",
        "limit_price",
        "stop_price",
        "trail_price",
        "trail_percent",
        "time_in_force",
        "extended_hours",
    ),
)
