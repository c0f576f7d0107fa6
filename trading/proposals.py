"""
Suggesting orders: all that an agent may do about trading.

It writes rows that nothing acts upon. Orders follow only from `approvals`, which no agent can
reach: not by import, and not by the rights of its database role.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q

from accounts import selectors as accounts
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now, database_now
from core.errors import CleraError, Invalid, NotFound
from core.money import Money
from trading import risk, selectors, states, wording
from trading.models import Proposal, ProposalLine
from trading.risk import Facts, MarketQuote, Rival, Used, Verdict
from trading.selectors import MarketView
from trading.states import ProposalOrigin, ProposalState, Side
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

MOST_LINES: Final = 20
SUB_DOLLAR = Decimal("0.0001")
CENT = Decimal("0.01")
ZERO = Decimal(0)
_HOUR: Final = timedelta(hours=1)
# What a runaway program could make without end; the server's own are bounded by what they follow.
_COUNTED: Final = (ProposalOrigin.AGENT, ProposalOrigin.REBALANCE)
Views = Mapping[str, MarketView]


class TooManyProposals(CleraError):
    """Somebody suggests more than a person can look at."""

    code = "too_many_proposals"
    status = 429
    detail = "The customer has enough proposals to decide on; wait until some are decided."


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a proposal comes from; `proposal_id` follows from it, so that it is made once."""

    proposal_id: UUID
    origin: ProposalOrigin
    run_id: UUID | None = None
    tool_call_id: str = ""
    supersedes: Proposal | None = None


def propose_trade(
    *,
    principal: Principal,
    run_id: UUID,
    tool_call_id: str,
    ticket: Ticket,
    account_id: str | UUID | None = None,
    at: datetime,
) -> Proposal:
    """
    Suggest an order to the customer, who alone can approve it.

    The same tool call of the same run gives the same proposal, however often it is repeated.

    :raises NotFound: the customer has no such account.
    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: there is no fresh price to show.
    :raises RiskRefused: the order would be refused; the sentence says why.
    :raises TooManyProposals: the customer has more to decide on than a person can.
    """
    source = Source(
        proposal_id=uuid5(run_id, tool_call_id),
        origin=ProposalOrigin.AGENT,
        run_id=run_id,
        tool_call_id=tool_call_id[:128],
    )
    earlier = _find(principal, source.proposal_id)
    if earlier is not None:
        return earlier
    account = _account(principal, account_id)
    return propose(principal=principal, account_id=account.pk, lines=[ticket], source=source, at=at)


def propose(
    *,
    account_id: UUID,
    lines: Sequence[Ticket],
    source: Source,
    principal: Principal = SYSTEM,
    at: datetime,
) -> Proposal:
    """
    Suggest one to twenty orders to the owner of an account: all of them, or none.

    It reads the market first, so no transaction may be open; a proposal of this id that exists
    is returned as it is. Each line is judged as if those before it were placed already.

    :raises NotFound: there is no such account, or it is not the principal's.
    :raises Invalid: there are too many lines, or one makes no sense in itself.
    :raises PriceStale: there is no fresh price to show.
    :raises RiskRefused: an order would be refused; the sentence says why.
    :raises TooManyProposals: the customer has more to decide on than a person can.
    """
    tickets = tidied(lines)
    views = look(tickets, at=at)
    with acting_as(principal):
        return record(
            principal=principal,
            account_id=account_id,
            tickets=tickets,
            views=views,
            source=source,
            at=at,
        )


def tidied(lines: Sequence[Ticket]) -> list[Ticket]:
    """
    Return tickets whose symbols have their one spelling.

    :raises Invalid: there is no line, or too many, or a symbol or a number is none.
    """
    if not 1 <= len(lines) <= MOST_LINES:
        raise Invalid(f"A proposal has 1 to {MOST_LINES} orders.")
    found = []
    for ticket in lines:
        symbol = wording.plain_symbol(ticket.symbol)
        if symbol is None:
            detail = "A symbol is made of letters and digits, such as AAPL or BRK.B."
            raise Invalid(detail, field_errors={"symbol": [detail]})
        _require_numbers(ticket)
        found.append(replace(ticket, symbol=symbol))
    return found


def _require_numbers(ticket: Ticket) -> None:
    """Refuse what is no number before the database is asked about it."""
    for name, value in vars(ticket).items():
        if isinstance(value, Decimal) and not value.is_finite():
            detail = "Must be a number."
            raise Invalid(detail, field_errors={name: [detail]})


def look(tickets: Sequence[Ticket], *, at: datetime) -> dict[str, MarketView]:
    """Read what the market says about each symbol, once; no transaction may be open."""
    symbols = dict.fromkeys(ticket.symbol for ticket in tickets)
    return {symbol: selectors.look_at_market(symbol=symbol, at=at) for symbol in symbols}


def record(
    *,
    principal: Principal,
    account_id: UUID,
    tickets: Sequence[Ticket],
    views: Views,
    source: Source,
    at: datetime,
) -> Proposal:
    """
    Judge the tickets and write the proposal down, in the caller's transaction.

    :raises NotFound: there is no such account, or it is not the principal's.
    :raises Invalid: a line makes no sense in itself.
    :raises PriceStale: there is no fresh price to show.
    :raises RiskRefused: an order would be refused.
    :raises TooManyProposals: the customer has more to decide on than a person can.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    if source.origin in _COUNTED:
        _require_room(account.user_id)
    lines, warnings = _judged(account, tickets, views, at=at)
    try:
        with transaction.atomic():
            Proposal.open(
                id=source.proposal_id,
                user_id=account.user_id,
                account_id=account.pk,
                account_label=label_of(account),
                origin=source.origin,
                run_id=source.run_id,
                tool_call_id=source.tool_call_id,
                supersedes=source.supersedes,
                warnings=wording.sentences(warnings),
                expires_at=database_now() + _life_of(source.origin),
                lines=lines,
            )
    except IntegrityError:
        if not Proposal.objects.filter(pk=source.proposal_id).exists():
            raise
    return Proposal.objects.whole().get(pk=source.proposal_id)


def label_of(account: "BrokerageAccount") -> str:
    """Name an account to its owner without spelling its number out."""
    return f"•••• {(account.account_number or str(account.pk))[-4:]}"


def _life_of(origin: ProposalOrigin) -> timedelta:
    is_lapsed = origin == ProposalOrigin.LAPSED
    seconds = settings.PROPOSAL_LAPSED_SECONDS if is_lapsed else settings.PROPOSAL_SECONDS
    return timedelta(seconds=seconds)


def _find(principal: Principal, proposal_id: UUID) -> Proposal | None:
    try:
        return selectors.get_proposal(principal=principal, proposal_id=proposal_id)
    except NotFound:
        return None


def _account(principal: Principal, account_id: str | UUID | None) -> "BrokerageAccount":
    if account_id is not None:
        return accounts.get_account(principal=principal, account_id=account_id)
    mine = accounts.list_accounts(principal=principal)
    if not mine:
        raise NotFound("The customer has no brokerage account yet.")
    return next((account for account in mine if account.is_tradable), mine[0])


def _require_room(user_id: str) -> None:
    """Count under a lock of the customer's own; an agent's role may lock no row."""
    with connection.cursor() as cursor:
        name = f"trading.proposals.{user_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
    made = Proposal.objects.filter(user_id=user_id, origin__in=_COUNTED).aggregate(
        pending=Count("pk", filter=Q(state=ProposalState.PENDING, expires_at__gt=Now())),
        lately=Count("pk", filter=Q(created_at__gt=Now() - _HOUR)),
    )
    if made["pending"] >= settings.PROPOSALS_PENDING or made["lately"] >= settings.PROPOSALS_HOURLY:
        raise TooManyProposals(retry_after_seconds=60)


def _judged(
    account: "BrokerageAccount", tickets: Sequence[Ticket], views: Views, *, at: datetime
) -> tuple[list[ProposalLine], list[str]]:
    lines: list[ProposalLine] = []
    warnings: list[str] = []
    for ticket in tickets:
        view = views[ticket.symbol]
        known = selectors.facts_for(account, ticket, view, at=at, source=states.Source.PROPOSAL)
        facts = _after(lines, ticket, known)
        verdict = risk.judge(ticket, facts)
        risk.require_sense(verdict, symbol=ticket.symbol)
        if not verdict.is_allowed:
            raise risk.RiskRefused(rule=verdict.rule, field=verdict.field, detail=verdict.detail)
        assert view.quote is not None  # noqa: S101 - the verdict needed it
        lines.append(_line(ticket, view.quote, verdict))
        warnings.extend(verdict.warnings)
    return lines, warnings


def _after(lines: Sequence[ProposalLine], ticket: Ticket, facts: Facts) -> Facts:
    """Count the lines before this one as if they were placed: approving places them together."""
    bought = sum((line.estimated_value for line in lines if line.side == Side.BUY), ZERO)
    sold = sum((_shares(line) for line in lines if _sells(line, ticket.symbol)), ZERO)
    spendable, sellable = facts.spendable, facts.sellable
    same = [line for line in lines if line.symbol == ticket.symbol]
    return replace(
        facts,
        spendable=None if spendable is None else max(spendable - bought, ZERO),
        sellable=None if sellable is None else max(sellable - sold, ZERO),
        rivals=[*facts.rivals, *(_rival(line) for line in same if line.side != ticket.side)],
        used=_used_after(facts.used, lines, same),
    )


def _used_after(used: Used, lines: Sequence[ProposalLine], same: Sequence[ProposalLine]) -> Used:
    return replace(
        used,
        open_orders=used.open_orders + len(lines),
        day_orders=used.day_orders + len(lines),
        day_notional=used.day_notional + sum((line.estimated_value for line in lines), ZERO),
        opening_value=used.opening_value
        + sum((line.estimated_value for line in same if line.side == Side.BUY), ZERO),
    )


def _rival(line: ProposalLine) -> Rival:
    ticket = line.ticket
    return Rival(
        order_id="",
        order_type=ticket.order_type,
        order_class=ticket.order_class,
        limit_price=ticket.limit_price,
    )


def _sells(line: ProposalLine, symbol: str) -> bool:
    return line.side == Side.SELL and line.symbol == symbol


def _shares(line: ProposalLine) -> Decimal:
    if line.quantity is not None:
        return Decimal(line.quantity)
    return Decimal(line.estimated_value / line.quote_price)


def _line(ticket: Ticket, quote: MarketQuote, verdict: Verdict) -> ProposalLine:
    price = quote.price_for(is_buy=ticket.is_buy)
    reach = price * settings.PROPOSAL_BAND
    tick = CENT if price >= 1 else SUB_DOLLAR
    return ProposalLine.of(
        ticket,
        quote_price=price,
        quote_as_of=quote.as_of,
        price_low=(price - reach).quantize(tick, ROUND_FLOOR),
        price_high=(price + reach).quantize(tick, ROUND_CEILING),
        estimated_value=Money.rounded(verdict.value or ZERO).amount,
        verdict=verdict.as_json(),
    )
