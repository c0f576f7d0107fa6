"""Whether the account, the symbol and the hour let an order through, whatever its price."""

from typing import Final

from trading.risk.facts import Facts
from trading.risk.shape import Refusal, Rule
from trading.states import AfterHours, OrderType, Source, TimeInForce
from trading.tickets import Ticket

# The broker keeps these until the session or the auction that they are meant for.
_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})


def _account(_ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.is_account_active:
        return None
    if facts.is_account_frozen:
        return "account_frozen", "account_id", "Orders are stopped for now; ask support."
    detail = f"The account is {facts.account_status or 'not open yet'}; only ACTIVE ones trade."
    return "account_not_active", "account_id", detail


def _closing(_ticket: Ticket, facts: Facts) -> Refusal | None:
    if not facts.is_account_closing or facts.source == Source.CLOSURE:
        return None
    detail = "The account is being closed; it takes no new orders."
    return "account_closing", "account_id", detail


def _switch(_ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.halt_reason is None:
        return None
    return "trading_halted", "account_id", "New orders are stopped for now; try again later."


def _kind(ticket: Ticket, facts: Facts) -> Refusal | None:
    """Refuse what is held and valued here, and not traded."""
    traits = facts.instrument
    if traits is not None and traits.is_coin:
        # Their orders know no sessions and no day, which all rules and waiting here rest on.
        detail = f"{ticket.symbol} is a coin; coins are not traded here."
        return "coins_not_traded", "ticker", detail
    if traits is not None and traits.is_contract:
        # Limits, holds and what is under way weigh an order as price times size, which it is not.
        detail = f"{ticket.symbol} is a contract; contracts are not traded here."
        return "contracts_not_traded", "ticker", detail
    return None


def _instrument(ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.instrument is None:
        return "symbol_unknown", "ticker", f"{ticket.symbol} is not a symbol we know."
    if not facts.instrument.is_tradable:
        return "symbol_not_tradable", "ticker", f"{ticket.symbol} cannot be traded here."
    if facts.instrument.is_halted:
        return "symbol_halted", "ticker", f"The exchange has halted {ticket.symbol}."
    if facts.restriction is not None:
        detail = f"{ticket.symbol} cannot be {'bought' if ticket.is_buy else 'sold'} here for now."
        return "symbol_restricted", "ticker", detail
    return None


def _session(ticket: Ticket, facts: Facts) -> Refusal | None:
    session = facts.session
    if session is None or session.lets_trade(ticket) or _waits_for_session(ticket):
        return None
    detail = "The market is closed; say with after_hours_policy what to do with the order."
    return "market_closed", "after_hours_policy", detail


def _waits_for_session(ticket: Ticket) -> bool:
    if ticket.after_hours != AfterHours.REFUSE or ticket.time_in_force in _AUCTIONS:
        return True
    return ticket.time_in_force == TimeInForce.GTC and ticket.order_type != OrderType.MARKET


def _twin(_ticket: Ticket, facts: Facts) -> Refusal | None:
    if not facts.used.twins or not facts.is_capped:
        return None
    detail = "The same order was placed a moment ago; send allow_duplicate if you mean it twice."
    return "duplicate_order", "allow_duplicate", detail


def _open_orders(_ticket: Ticket, facts: Facts) -> Refusal | None:
    most = facts.limits.open_orders
    if facts.used.open_orders < most or not facts.is_capped:
        return None
    return "open_orders", "account_id", f"The account has {most} open orders, the most it may have."


def _daily_orders(_ticket: Ticket, facts: Facts) -> Refusal | None:
    most = facts.limits.daily_orders
    if facts.used.day_orders < most or not facts.is_capped:
        return None
    detail = f"The account has placed {most} orders today, the most it may place in a day."
    return "daily_orders", "account_id", detail


PLACE: Final[tuple[Rule, ...]] = (_account, _closing, _switch, _kind, _instrument)
TURN: Final[tuple[Rule, ...]] = (_session, _twin, _open_orders, _daily_orders)
