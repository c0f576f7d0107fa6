"""The pretend Alpaca Broker API."""

from functools import partial

from starlette.routing import BaseRoute, Route

from sandbox.broker import (
    accounts,
    activities,
    applications,
    banks,
    documents,
    events,
    history,
    matching,
    orders,
    positions,
    reference,
    replacing,
    statements,
    statuses,
    transfers,
)
from sandbox.broker.core import Broker, Handler, serve
from sandbox.world import World

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_ACCOUNT = "/v1/accounts/{account_id}"
_TRADING = "/v1/trading/accounts/{account_id}"

_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v1/accounts", applications.create),
    ("GET", "/v1/accounts", accounts.list_all),
    ("GET", "/v1/accounts/positions", positions.list_of_all_accounts),
    ("GET", "/v1/accounts/activities", activities.list_all),
    ("GET", "/v1/accounts/activities/{activity_type}", activities.list_all),
    ("GET", _ACCOUNT, accounts.show),
    ("PATCH", _ACCOUNT, accounts.update),
    ("POST", f"{_ACCOUNT}/actions/close", accounts.close),
    ("DELETE", _ACCOUNT, accounts.close),
    ("GET", f"{_ACCOUNT}/documents", statements.list_all),
    ("POST", f"{_ACCOUNT}/documents/upload", documents.upload),
    ("GET", f"{_ACCOUNT}/documents/{{document_id}}", statements.show),
    ("GET", f"{_ACCOUNT}/documents/{{document_id}}/download", statements.download),
    ("GET", f"{_ACCOUNT}/ach_relationships", banks.list_all),
    ("POST", f"{_ACCOUNT}/ach_relationships", banks.create),
    ("DELETE", f"{_ACCOUNT}/ach_relationships/{{id}}", banks.delete),
    ("GET", f"{_ACCOUNT}/recipient_banks", reference.list_nothing),
    ("GET", f"{_ACCOUNT}/transfers", transfers.list_all),
    ("POST", f"{_ACCOUNT}/transfers", transfers.create),
    ("DELETE", f"{_ACCOUNT}/transfers/{{id}}", transfers.cancel),
    ("GET", f"{_TRADING}/account", positions.show_account),
    ("GET", f"{_TRADING}/account/configurations", reference.show_configurations),
    ("PATCH", f"{_TRADING}/account/configurations", reference.change_configurations),
    ("GET", f"{_TRADING}/account/portfolio/history", history.show),
    ("POST", f"{_TRADING}/orders", orders.create),
    ("GET", f"{_TRADING}/orders", orders.list_all),
    ("DELETE", f"{_TRADING}/orders", orders.cancel_all),
    ("GET", f"{_TRADING}/orders:by_client_order_id", orders.show_by_client_id),
    ("GET", f"{_TRADING}/orders/{{order_id}}", orders.show),
    ("PATCH", f"{_TRADING}/orders/{{order_id}}", replacing.replace),
    ("DELETE", f"{_TRADING}/orders/{{order_id}}", orders.cancel),
    ("GET", f"{_TRADING}/positions", positions.list_all),
    ("DELETE", f"{_TRADING}/positions", positions.close_all),
    ("GET", f"{_TRADING}/positions/{{symbol}}", positions.show),
    ("DELETE", f"{_TRADING}/positions/{{symbol}}", positions.close),
    ("GET", "/v1/assets", reference.list_assets),
    ("GET", "/v1/assets/{symbol:path}", reference.show_asset),
    ("GET", "/v1/clock", reference.show_clock),
    ("GET", "/v2/clock", reference.show_clock),
    ("GET", "/v1/calendar", reference.list_calendar),
    ("GET", "/v1/country-info", reference.list_countries),
    ("GET", "/v1/corporate_actions/announcements", reference.list_nothing),
    ("GET", "/v1/journals", reference.list_nothing),
    ("GET", "/v1/events/accounts/status", events.stream("accounts", 1)),
    ("GET", "/v1/events/trades", events.stream("trades", 1)),
    ("GET", "/v2/events/trades", events.stream("trades", 2)),
    ("GET", "/v1/events/transfers/status", events.stream("funding", 1)),
    ("GET", "/v2/events/funding/status", events.stream("funding", 2)),
    ("GET", "/v1/events/journals/status", events.stream("journals", 1)),
    ("GET", "/v2/events/journals/status", events.stream("journals", 2)),
    ("GET", "/v1/events/nta", events.stream("activities", 1)),
    ("GET", "/v2beta1/events/activities", events.stream("activities", 2)),
]


def routes(world: World) -> list[BaseRoute]:
    """Open the broker's books and list what can be asked of it."""
    broker = Broker(world)
    world.parts["broker"] = broker
    world.parts["files"] = partial(statements.print_file, broker)
    world.jobs.append(partial(matching.run, broker))
    world.settle_hooks.append(partial(matching.match_all, broker))
    _go_on(broker)
    known = [
        Route(path, serve(broker, handler), methods=[method]) for method, path, handler in _ROUTES
    ]
    rest = Route("/{path:path}", serve(broker, reference.refuse), methods=_METHODS)
    return [*known, rest]


def _go_on(broker: Broker) -> None:
    """Put on the agenda what an earlier run had begun."""
    books = broker.books
    for account in books.accounts.values():
        statuses.plan(broker, account)
    for banks_of_account in books.relationships.values():
        for relationship in banks_of_account.values():
            banks.plan(broker, relationship)
    for transfers_of_account in books.transfers.values():
        for transfer in transfers_of_account.values():
            transfers.plan(broker, transfer)
    for account_id in books.orders:
        for order in list(books.open_orders.of(account_id).values()):
            matching.plan(broker, order)
