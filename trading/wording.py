"""A proposal in words and in its canonical form, made from nothing but its columns."""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from core.money import Money, Price, Quantity
from trading.risk.shape import is_symbol
from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce

if TYPE_CHECKING:
    from trading.models.proposals import Proposal, ProposalLine

VERSION: Final = 2  # of the words and of the canonical form; a row keeps the one it was made with
_LONGEST_SENTENCE: Final = 300
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_TERMS: Final = {
    TimeInForce.DAY: "good for the day",
    TimeInForce.GTC: "good until canceled",
    TimeInForce.IOC: "at once, and what cannot be done at once not at all",
    TimeInForce.FOK: "at once and whole, or not at all",
    TimeInForce.OPG: "in the opening auction only",
    TimeInForce.CLS: "in the closing auction only",
}
_AFTER_HOURS: Final = {
    AfterHours.QUEUE_FOR_OPEN: "kept for the opening while the market is closed",
    AfterHours.BROKER_LIMIT_GTC: "as a limit order until canceled while the market is closed",
}


def visible(text: str) -> str:
    """Drop what nobody can see or what reorders the rest; any space becomes a plain one."""
    return " ".join("".join(map(_seen, text)).split())


def _seen(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _INVISIBLE else character


def plain_symbol(text: str) -> str | None:
    """Return the one spelling of a symbol, or nothing for what only looks like one."""
    shown = visible(text)
    symbol = shown.upper() if shown.isascii() else ""
    return symbol if is_symbol(symbol) else None


def sentences(warnings: Sequence[str]) -> list[str]:
    """Tidy warnings for showing: visible characters only, each once, none too long."""
    tidy = (visible(warning)[:_LONGEST_SENTENCE] for warning in warnings)
    return [warning for warning in dict.fromkeys(tidy) if warning]


# What the customer reads


def text_of(proposal: "Proposal", lines: "Sequence[ProposalLine]") -> str:
    """Say everything that approving does, a bullet each, as the reference's clients show it."""
    if proposal.version == 1:
        return _first_text(lines[0])
    bullets = [bullet for line in lines for bullet in _bullets(line)]
    bullets += [
        f"Estimated Total: {_total(lines)}",
        f"Trading Account: {proposal.account_label}",
        f"Good Until: {_moment(proposal.expires_at)}",
        *(f"Warning: {warning}" for warning in proposal.warnings),
    ]
    return "\n".join(f"• {bullet}" for bullet in bullets)


def summary_of(proposal: "Proposal", lines: "Sequence[ProposalLine]") -> str:
    """Say in a sentence for each order what approving does; it names no account."""
    if proposal.version == 1:
        return _first_text(lines[0])
    return " ".join(f"{_order(line)}, as long as the price is {_band(line)}." for line in lines)


def _bullets(line: "ProposalLine") -> list[str]:
    price = f"${Price(line.quote_price)}"
    return [
        _order(line),
        f"Current Price: {price} on {_moment(line.quote_as_of)}",
        f"Good while the price is {_band(line)}",
    ]


def _order(line: "ProposalLine") -> str:
    parts = [
        f"{line.side} {_size(line)} {_terms_of_price(line)}",
        _TERMS[TimeInForce(line.time_in_force)],
        "also outside of regular hours" if line.extended_hours else "",
        _AFTER_HOURS.get(AfterHours(line.after_hours), ""),
        _exits(line),
        *(
            f"{each['quantity']} of it from lot {str(each['lot_id'])[:8]}"
            for each in line.lot_choices
        ),
    ]
    return ", ".join(part for part in parts if part)


def _size(line: "ProposalLine") -> str:
    if line.notional is not None:
        return f"${Money(line.notional)} of {line.symbol}"
    shares = Quantity(line.quantity or Decimal(0))
    return f"{shares} {'share' if shares.amount == 1 else 'shares'} of {line.symbol}"


def _terms_of_price(line: "ProposalLine") -> str:
    if line.order_class == OrderClass.OCO:  # its own prices are those of the exits
        return f"{_ways_out(line)}, whichever comes first"
    limit = f"at {_price(line.limit_price)} or better"
    reached = f"once the price reaches {_price(line.stop_price)}"
    return {
        OrderType.MARKET: "at the market price",
        OrderType.LIMIT: limit,
        OrderType.STOP: f"at the market price {reached}",
        OrderType.STOP_LIMIT: f"{limit} {reached}",
        OrderType.TRAILING_STOP: f"at the market price once it has turned by {_trail(line)}",
    }[OrderType(line.order_type)]


def _trail(line: "ProposalLine") -> str:
    if line.trail_percent is not None:
        return f"{Quantity(line.trail_percent)} %"
    return _price(line.trail_price)


def _exits(line: "ProposalLine") -> str:
    is_bought_first = line.order_class in {OrderClass.BRACKET, OrderClass.OTO}
    return f"then sold {_ways_out(line)}" if is_bought_first else ""


def _ways_out(line: "ProposalLine") -> str:
    """Say at which prices the exits sell; whichever is reached first ends the other."""
    ways = []
    if line.take_profit_price is not None:
        ways.append(f"at {_price(line.take_profit_price)} or better")
    if line.stop_loss_price is not None:
        limit = line.stop_loss_limit_price
        price = "at the market price" if limit is None else f"at {_price(limit)} or better"
        ways.append(f"{price} once the price reaches {_price(line.stop_loss_price)}")
    return " or ".join(ways)


def _band(line: "ProposalLine") -> str:
    return f"{_price(line.price_low)} to {_price(line.price_high)}"


def _price(price: Decimal | None) -> str:
    return f"${Price(price or Decimal(0))}"


def _total(lines: "Sequence[ProposalLine]") -> str:
    sums = {
        side: sum((line.estimated_value for line in lines if line.side == side), Decimal(0))
        for side in Side
        if any(line.side == side for line in lines)
    }
    return ", ".join(f"{side} ${Money(amount)}" for side, amount in sums.items())


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d at %H:%M:%S} UTC"


# What the hash is of


def fingerprint_of(proposal: "Proposal", lines: "Sequence[ProposalLine]") -> str:
    """Hash everything that the customer is shown, as the columns are now."""
    shown = _shown_first(proposal, lines[0]) if proposal.version == 1 else _shown(proposal, lines)
    canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shown(proposal: "Proposal", lines: "Sequence[ProposalLine]") -> dict[str, Any]:
    return {
        "version": proposal.version,
        "id": str(proposal.pk),
        "user_id": proposal.user_id,
        "account_id": str(proposal.account_id),
        "account": proposal.account_label,
        "origin": proposal.origin,
        "expires_at": _exactly(proposal.expires_at),
        "warnings": list(proposal.warnings),
        "lines": [_line(line) for line in lines],
        "text": text_of(proposal, lines),
    }


def _line(line: "ProposalLine") -> dict[str, Any]:
    prices = (
        "limit_price",
        "stop_price",
        "trail_price",
        "take_profit_price",
        "stop_loss_price",
        "stop_loss_limit_price",
        "quote_price",
        "price_low",
        "price_high",
    )
    words = ("symbol", "side", "order_type", "time_in_force", "order_class", "after_hours")
    return {
        "position": line.position,
        **{name: str(getattr(line, name)) for name in words},
        **{name: _text(Price, getattr(line, name)) for name in prices},
        "quantity": _text(Quantity, line.quantity),
        "notional": _text(Money, line.notional),
        "trail_percent": _text(Quantity, line.trail_percent),
        "extended_hours": line.extended_hours,
        "lots": [[str(each["lot_id"]), str(each["quantity"])] for each in line.lot_choices],
        "quote_as_of": _exactly(line.quote_as_of),
        "estimated_value": _text(Money, line.estimated_value),
    }


def _text(kind: type[Money | Price | Quantity], amount: Decimal | None) -> str | None:
    return None if amount is None else str(kind(amount))


def _exactly(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


# The first version, of one market order each: what was approved then must stay provable.


def _first_text(line: "ProposalLine") -> str:
    return f"{line.side} {_size(line)} at the market price, as long as it is {_band(line)}."


def _shown_first(proposal: "Proposal", line: "ProposalLine") -> dict[str, Any]:
    return {
        "id": str(proposal.pk),
        "user_id": proposal.user_id,
        "account_id": str(proposal.account_id),
        "symbol": line.symbol,
        "side": line.side,
        "quantity": _text(Quantity, line.quantity),
        "notional": _text(Money, line.notional),
        "quote_price": _text(Price, line.quote_price),
        "price_low": _text(Price, line.price_low),
        "price_high": _text(Price, line.price_high),
        "text": _first_text(line),
    }
