"""What an order would do, before anybody places it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.money import Money
from trading import risk, selectors
from trading.risk import Facts, Verdict
from trading.services import holding, lot_choices, orders
from trading.states import Side
from trading.tickets import Ticket

_BEYOND: Final = Decimal(10) ** 14


@dataclass(frozen=True, kw_only=True)
class Preview:
    """
    An order as it would be filled at today's price; nothing is reserved and nothing promised.

    `cost` is what a purchase would take, `proceeds` what a sale would bring, both before the
    broker's fees. What is not known stays empty. `verdict` says whether it would pass the rules.
    """

    symbol: str
    side: Side
    price: Decimal | None
    quote_as_of: datetime | None
    quantity: Decimal | None
    cost: Decimal | None
    proceeds: Decimal | None
    buying_power_before: Decimal | None
    buying_power_after: Decimal | None
    position_before: Decimal
    position_after: Decimal | None
    warnings: tuple[str, ...]
    verdict: Verdict


def preview_order(
    *, principal: Principal, account_id: str | UUID, ticket: Ticket, at: datetime
) -> Preview:
    """
    Say what an order would cost or bring and whether it would pass, and record nothing.

    :raises NotFound: there is no such account, or it is somebody else's.
    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: nobody can say now what it would cost.
    :raises LotsNotThere: it names lots that are not there.
    :raises ServiceBusy: nobody has ever read the account, and the broker is away.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    view = selectors.look_at_market(symbol=ticket.symbol, at=at)
    wanted = holding.as_the_broker_keeps_it(ticket, view)

    def look(*, trusts_holdings: bool) -> Preview:
        with acting_as(principal):
            facts = selectors.facts_for(account, wanted, view, placed_by=principal.name, at=at)
            verdict = risk.judge(wanted, facts)
            risk.require_sense(verdict, symbol=wanted.symbol)
            hangs_on_holdings = facts.spendable is None or verdict.rule in risk.HOLDINGS_RULES
            if facts.is_account_active and hangs_on_holdings and not trusts_holdings:
                raise orders.OldHoldings(account.pk)
            if verdict.is_allowed:
                lot_choices.require_lots(account.pk, wanted)
        return _shown(wanted, facts, verdict)

    return orders.with_known_holdings(look, at=at)


def _shown(ticket: Ticket, facts: Facts, verdict: Verdict) -> Preview:
    value, shares = _rounded(verdict.value), _shares(ticket, verdict)
    sign = 1 if ticket.is_buy else -1
    return Preview(
        symbol=ticket.symbol,
        side=ticket.side,
        price=verdict.price,
        quote_as_of=verdict.quote_as_of,
        quantity=shares,
        cost=value if ticket.is_buy else None,
        proceeds=None if ticket.is_buy else value,
        buying_power_before=facts.spendable,
        buying_power_after=_after(facts.spendable, value, -sign),
        position_before=facts.position,
        position_after=_after(facts.position, shares, sign),
        warnings=verdict.warnings,
        verdict=verdict,
    )


def _rounded(value: Decimal | None) -> Decimal | None:
    """Round to cents; what is beyond all money is refused anyway, and stays empty."""
    return None if value is None or value >= _BEYOND else Money.rounded(value).amount


def _shares(ticket: Ticket, verdict: Verdict) -> Decimal | None:
    if ticket.quantity is not None or not verdict.price or verdict.value is None:
        return ticket.quantity
    shares = verdict.value / verdict.price
    return round(shares, 9) if shares < _BEYOND else None


def _after(before: Decimal | None, change: Decimal | None, sign: int) -> Decimal | None:
    return None if before is None or change is None else before + sign * change
