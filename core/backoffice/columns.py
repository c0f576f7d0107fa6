"""How the admin writes ids, dollars, shares, ages and states."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.money import Money, Price, Quantity

NOTHING: Final = "-"
_LONGEST_WHOLE: Final = 14
_STEPS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))

# The colour of every state of every table; a state without one is grey.
COLOURS: Final[dict[str, str]] = {
    "PENDING": "info",
    "HELD": "warning",
    "SENDING": "info",
    "UNKNOWN": "warning",
    "NEEDS_REVIEW": "danger",
    "ACCEPTED": "success",
    "REJECTED": "danger",
    "APPROVED": "success",
    "QUEUED": "info",
    "RUNNING": "info",
    "DONE": "success",
    "FAILED": "danger",
    "LIVE": "success",
    "WAITING": "info",
    "APPLIED": "success",
    "PARKED": "danger",
    "EXPIRED": "",
    "REVOKED": "danger",
    "FREE": "danger",
    "BUY": "success",
    "SELL": "warning",
    "INCOMING": "success",
    "OUTGOING": "warning",
    "OPEN": "info",
    "WITHDRAWN": "",
    "ACTIVE": "success",
    "ACTION_REQUIRED": "warning",
    "PROPOSED": "info",
    "SUSPECTED": "warning",
    "HEALED": "success",
    "RETURNED": "danger",
    "RESOLVED": "success",
    "CONFIRMED": "success",
    "LOGIN_REQUIRED": "warning",
    "BROKEN": "danger",
    "REMOVING": "info",
    "REMOVED": "",
    "EXCHANGING": "info",
    "EXCHANGED": "info",
    "LINKED": "success",
    "UPDATED": "success",
    "DUPLICATE": "warning",
}


def short(text: object) -> SafeString | str:
    """Shorten an id to both of its ends, with all of it in the tooltip."""
    whole = str(text or "")
    if len(whole) <= _LONGEST_WHOLE:
        return whole or NOTHING
    return format_html(
        '<span class="whitespace-nowrap" title="{}">{}…{}</span>', whole, whole[:8], whole[-4:]
    )


def dollars(amount: Decimal | None) -> str:
    """Write `$1,234.50`, with two places always."""
    if amount is None:
        return NOTHING
    sign = "-" if amount < 0 else ""
    return f"{sign}${Money.rounded(abs(amount)).amount:,.2f}"


def price(amount: Decimal | None) -> str:
    """Write a price with as many places as it has, and two at least."""
    return NOTHING if amount is None else f"${Price(amount)}"


def shares(quantity: Decimal | None) -> str:
    """Write a quantity without needless zeros."""
    return NOTHING if quantity is None else str(Quantity(quantity))


def span(length: timedelta) -> str:
    """Write a length of time in its largest unit: `45 s`, `12 min`, `3 h`, `2 d`."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in _STEPS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 s"


def ago(moment: datetime | None, *, at: datetime) -> str:
    """Say on a terminal how long ago something was."""
    return "never" if moment is None else f"{span(at - moment)} ago"


def age(since: datetime | None, *, at: datetime) -> SafeString | str:
    """Say how long ago something was, with the moment itself in the tooltip."""
    if since is None:
        return NOTHING
    return format_html(
        '<span class="whitespace-nowrap" title="{}">{}</span>',
        f"{since:%Y-%m-%d %H:%M:%S} UTC",
        span(at - since),
    )


def day(moment: datetime) -> SafeString:
    """Write a day, with the moment itself in the tooltip."""
    return format_html(
        '<span class="whitespace-nowrap" title="{}">{}</span>',
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        f"{moment:%Y-%m-%d}",
    )


def link(url: str, words: SafeString | str) -> SafeString:
    """Write a link in the colour of links."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, words
    )


def links(pairs: Iterable[tuple[str, str]]) -> SafeString:
    """Write links below each other, each an address and its words."""
    return format_html_join(
        "", '<a class="block text-primary-600 dark:text-primary-500" href="{}">{}</a>', pairs
    )


def lines(texts: Sequence[object]) -> SafeString | str:
    """Write texts below each other."""
    return format_html_join("", "<div>{}</div>", ((text,) for text in texts)) or NOTHING


def label(text: Any, *, href: str = "", colour: str | None = None) -> SafeString:
    """Make a coloured label, linked when there is somewhere to go."""
    variant = COLOURS.get(str(text), "") if colour is None else colour
    context = {"text": text, "variant": variant, "href": href}
    return SafeString(render_to_string("unfold/helpers/label.html", context).strip())


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table for a terminal, each column as wide as its widest cell."""
    lines = [headers, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(headers))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
