"""What the risk rules weigh, read under the account's lock in one statement."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ledger import selectors as ledger
from trading.models import Order
from trading.risk import Facts, Used
from trading.selectors import under_way
from trading.selectors.limits import limits_among
from trading.selectors.market import MarketView
from trading.selectors.under_way import UnderWay
from trading.states import Source
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

ZERO: Final = Decimal(0)


def facts_for(
    account: "BrokerageAccount",
    ticket: Ticket,
    view: MarketView,
    *,
    at: datetime,
    source: Source = Source.CUSTOMER,
    placed_by: str = "",
    released: Order | None = None,
    minds_twins: bool = False,
) -> Facts:
    """
    Gather what the rules weigh; the caller is acting as somebody and holds the account's lock.

    What undecided and open orders may still take, and the broker has not yet taken from what it
    last told us, is left out of what can be spent or sold.

    :param released: an order that is left out, but for what it has traded today: one at the
        broker whose place the ticket takes, or one that was held here and is judged anew.
    :param minds_twins: whether the same order a moment ago counts against it.
    """
    found = under_way.read(
        account.pk,
        ticket,
        stopped=(account.user_id, placed_by),
        released_id=released.pk if released else None,
        minds_twins=minds_twins,
        at=at,
    )
    return Facts(
        account_status=account.vendor_status,
        is_account_active=account.is_tradable,
        is_account_frozen=account.is_frozen,
        is_account_closing=account.is_closing,
        source=source,
        halt_reason=found.halt_reason,
        restriction=found.restriction,
        instrument=view.instrument,
        quote=view.quote,
        session=view.session,
        spendable=_spendable(found, ticket, released),
        sellable=_sellable(found, ticket, released),
        position=found.held,
        equity=None if found.cash is None else found.cash + found.others_worth,
        rivals=found.rivals,
        used=_used(found),
        replaced=released.ticket if released is not None and released.is_accepted else None,
        limits=limits_among(found.limits, account.pk),
        at=at,
    )


def _used(found: UnderWay) -> Used:
    return Used(
        open_orders=found.open_orders,
        day_orders=found.day_orders,
        day_notional=found.day_notional,
        opening_value=found.opening_value,
        twins=found.twins,
    )


def _spendable(found: UnderWay, ticket: Ticket, released: Order | None) -> Decimal | None:
    """
    Say what a purchase may cost: by the broker's last word, and by our own ledger.

    The ledger alone knows of a withdrawal from the moment somebody asks for it. Until it knows
    all of the past it refuses nothing.
    """
    if found.buying_power is None:
        return None
    free = found.buying_power - found.reserved_cash
    if not ticket.is_buy:
        return max(free, ZERO)
    freed = ledger.held_for(reference=released.pk) if released is not None else ZERO
    if released is not None and not released.reserved_cash:
        free += freed  # the broker's last word counts it as spent
    if found.is_ledger_complete:
        free = min(free, found.ledger_available + freed)
    return max(free, ZERO)


def _sellable(found: UnderWay, ticket: Ticket, released: Order | None) -> Decimal | None:
    if found.buying_power is None or ticket.is_buy:
        return None
    free = found.free - found.reserved_quantity
    if released is not None and not released.reserved_quantity:
        free += (released.quantity or ZERO) - released.filled_quantity
    return max(free, ZERO)
