"""The rules a new order must keep before the broker takes it."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal, as_bool, as_decimal, decimal_text
from sandbox.assets import Asset
from sandbox.broker import figures
from sandbox.broker.core import Broker
from sandbox.broker.records import ZERO, Account, Order

_TYPES = frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"})
_TIMES_IN_FORCE = frozenset({"day", "gtc", "opg", "cls", "ioc", "fok"})
_LIMITED = frozenset({"limit", "stop_limit"})
_STOPPED = frozenset({"stop", "stop_limit"})
_LONGEST_CLIENT_ID = 128
# What the broker takes of orders for coins, which trade all the time.
_COIN_TYPES = frozenset({"market", "limit", "stop_limit"})
_COIN_TIMES_IN_FORCE = frozenset({"gtc", "ioc"})
_ONE = Decimal(1)
_SMALLEST_VALUE = Decimal(1)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What a customer wants, read and checked for itself."""

    asset: Asset
    side: str
    type: str
    time_in_force: str
    client_order_id: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    # Of an order that comes with others: its class, and the prices of its exits.
    order_class: str = ""
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None

    @property
    def is_fractional(self) -> bool:
        """Say whether it asks for a part of a share, or for an amount of money."""
        return self.qty is None or self.qty != self.qty.to_integral_value()


def read(broker: Broker, body: Any) -> Ticket:
    """
    Read an order and check what can be checked without looking at the account.

    :raises Refusal: a rule is broken.
    """
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    ticket = Ticket(
        asset=_asset(broker, str(body.get("symbol") or "")),
        side=_choice(body, "side", {"buy", "sell"}),
        type=_choice(body, "type", _TYPES),
        time_in_force=_choice(body, "time_in_force", _TIMES_IN_FORCE),
        client_order_id=str(body.get("client_order_id") or uuid.uuid4()),
        qty=number(body, "qty"),
        notional=number(body, "notional"),
        limit_price=number(body, "limit_price"),
        stop_price=number(body, "stop_price"),
        trail_price=number(body, "trail_price"),
        trail_percent=number(body, "trail_percent"),
        extended_hours=flag(body, "extended_hours"),
    )
    if len(ticket.client_order_id) > _LONGEST_CLIENT_ID:
        raise Refusal(422, 40010001, "client_order_id must be at most 128 characters")
    _check_size(ticket)
    _check_prices(ticket)
    if ticket.asset.is_coin:
        _check_coin(ticket)
    else:
        _check_time_in_force(ticket)
        _check_hours(ticket)
    return ticket


def _check_coin(ticket: Ticket) -> None:
    if ticket.type not in _COIN_TYPES:
        raise Refusal(422, 40010001, f"invalid order type for crypto order: {ticket.type}")
    if ticket.time_in_force not in _COIN_TIMES_IN_FORCE:
        raise Refusal(422, 40010001, "invalid crypto time_in_force")
    if ticket.extended_hours:
        raise Refusal(422, 42210000, "crypto orders must not be extended hours orders")


def _asset(broker: Broker, symbol: str) -> Asset:
    asset = broker.world.catalogue.get(symbol) if symbol else None
    if asset is None:
        raise Refusal(422, 42210000, f'asset "{symbol}" not found')
    if not asset.tradable:
        raise Refusal(422, 42210000, f'asset "{asset.symbol}" is not tradable')
    return asset


def _choice(body: dict[str, Any], name: str, known: frozenset[str] | set[str]) -> str:
    value = str(body.get(name) or "")
    if value not in known:
        raise Refusal(422, 40010001, f"invalid {name}")
    return value


def number(body: dict[str, Any], name: str, *, shown_as: str = "") -> Decimal | None:
    """
    Read a number that may be absent.

    :raises Refusal: it is none, or not positive.
    """
    given = body.get(name)
    if given is None:
        return None
    value = as_decimal(given)
    if value is None or value <= 0:
        raise Refusal(422, 40010001, f"{shown_as or name} must be > 0")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """Read a yes or no that may be absent."""
    return as_bool(body.get(name, False))


def _check_size(ticket: Ticket) -> None:
    if ticket.qty is not None and ticket.notional is not None:
        raise Refusal(400, 40010001, "only one of qty or notional is accepted")
    if ticket.qty is None and ticket.notional is None:
        raise Refusal(422, 40010001, "qty or notional is required")
    if ticket.qty is not None and ticket.qty != figures.shares(ticket.qty):
        raise Refusal(422, 40010001, "qty must have at most nine decimal places")
    if ticket.notional is not None and ticket.notional != figures.cents(ticket.notional):
        raise Refusal(422, 40010001, "notional must have at most two decimal places")
    if ticket.is_fractional and not ticket.asset.is_coin:
        _check_fraction(ticket)


def _check_fraction(ticket: Ticket) -> None:
    if not ticket.asset.fractionable:
        raise Refusal(403, 40310000, f'asset "{ticket.asset.symbol}" is not fractionable')
    if ticket.time_in_force != "day":
        raise Refusal(422, 42210000, "fractional orders must be DAY orders")
    if ticket.type == "trailing_stop":
        raise Refusal(422, 42210000, "fractional orders must not be trailing stop orders")
    if ticket.notional is not None and ticket.type not in {"market", "limit"}:
        raise Refusal(422, 42210000, "notional orders must be market or limit orders")


def _check_prices(ticket: Ticket) -> None:
    _check_price(ticket, "limit_price", ticket.limit_price, is_used=ticket.type in _LIMITED)
    _check_price(ticket, "stop_price", ticket.stop_price, is_used=ticket.type in _STOPPED)
    trails = [ticket.trail_price, ticket.trail_percent]
    if ticket.type == "trailing_stop" and trails.count(None) != 1:
        raise Refusal(422, 40010001, "one of trail_price and trail_percent is required")


def _check_price(ticket: Ticket, name: str, price: Decimal | None, *, is_used: bool) -> None:
    if price is None:
        if is_used:
            raise Refusal(422, 40010001, f"{ticket.type} orders require {name}")
        return
    if not is_used:
        raise Refusal(422, 40010001, f"{ticket.type} orders must not have {name}")
    if not ticket.asset.is_coin:
        check_increment(name, price)


def check_increment(name: str, price: Decimal) -> None:
    """
    Allow two decimal places from one dollar on, four below.

    :raises Refusal: there are more.
    """
    step = figures.CENT if price >= _ONE else Decimal("0.0001")
    if price != price.quantize(step):
        raise Refusal(
            422,
            42210000,
            f"invalid {name} {decimal_text(price)}. sub-penny increment does not fulfill minimum "
            "pricing criteria",
        )


def _check_time_in_force(ticket: Ticket) -> None:
    """Refuse stops that would have to fill at once or in an auction: a stop waits."""
    if ticket.type not in {"market", "limit"} and ticket.time_in_force not in {"day", "gtc"}:
        raise Refusal(422, 42210000, f"{ticket.type} orders must be DAY or GTC orders")


def _check_hours(ticket: Ticket) -> None:
    if ticket.extended_hours and not (
        ticket.type == "limit" and ticket.time_in_force in {"day", "gtc"}
    ):
        raise Refusal(422, 42210000, "extended hours order must be DAY or GTC limit orders")


def check_against_account(
    broker: Broker, account: Account, ticket: Ticket, *, released: Order | None = None
) -> None:
    """
    Check that the account can carry the order; `released` is one it takes the place of.

    :raises Refusal: it cannot.
    """
    if ticket.asset.is_coin and account.crypto_status != "ACTIVE":
        raise Refusal(422, 40010001, f"crypto orders not allowed for account: {account.id}")
    _check_wash_trade(broker, account, ticket, released)
    if ticket.side == "sell":
        _check_shares(broker, account, ticket, released)
    else:
        _check_cash(broker, account, ticket, released)


def _check_cash(broker: Broker, account: Account, ticket: Ticket, released: Order | None) -> None:
    cost = cost_of(broker, ticket)
    if cost < _SMALLEST_VALUE:
        raise Refusal(422, 42210000, "cost basis must be >= minimal amount of order 1")
    power = figures.buying_power(broker, account)
    if released is not None:
        power += figures.reserve_of(broker, released)
    if cost > power:
        raise Refusal(
            403,
            40310000,
            "insufficient buying power",
            buying_power=decimal_text(power),
            cost_basis=decimal_text(cost),
        )


def cost_of(broker: Broker, ticket: Ticket) -> Decimal:
    """Tell what a purchase will hold of the buying power."""
    if ticket.notional is not None:
        return ticket.notional
    price = ticket.limit_price or ticket.stop_price
    if price is None:
        price = figures.price_of(broker, ticket.asset.symbol) * figures.MARKET_MARGIN
    return figures.cents(price * (ticket.qty or ZERO))


def _check_shares(broker: Broker, account: Account, ticket: Ticket, released: Order | None) -> None:
    symbol = ticket.asset.symbol
    held = broker.books.position(account.id, symbol).qty
    in_orders = figures.held_for_orders(broker, account.id, symbol, released=released)
    requested = ticket.qty
    if requested is None:
        requested = figures.shares((ticket.notional or ZERO) / figures.price_of(broker, symbol))
    available = held - in_orders
    if requested > available:
        raise Refusal(
            403,
            40310000,
            f"insufficient qty available for order (requested: {decimal_text(requested)}, "
            f"available: {decimal_text(available)})",
            symbol=symbol,
            existing_qty=decimal_text(held),
            held_for_orders=decimal_text(in_orders),
            available=decimal_text(available),
        )


def _check_wash_trade(
    broker: Broker, account: Account, ticket: Ticket, released: Order | None
) -> None:
    opposite = "sell" if ticket.side == "buy" else "buy"
    for order in broker.books.open_orders.of_side(account.id, ticket.asset.symbol, opposite):
        if order is not released and _could_meet(ticket, order):
            raise Refusal(
                403,
                40310000,
                "potential wash trade detected. use complex orders",
                existing_order_id=order.id,
                reject_reason="opposite side order exists",
            )


def _could_meet(ticket: Ticket, order: Order) -> bool:
    """Say whether a customer's two orders could trade with each other."""
    if ticket.order_class or order.order_class:
        return False  # the broker looks after these itself
    if ticket.type == "trailing_stop" or order.type == "trailing_stop":
        return False
    if ticket.limit_price is None or order.limit_price is None:
        return True
    if ticket.side == "buy":
        return ticket.limit_price >= order.limit_price
    return order.limit_price >= ticket.limit_price
