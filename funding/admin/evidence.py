"""A lost transfer beside what the broker's list has shown: what an operator decides by."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils.http import urlencode

from core.backoffice import columns, people
from core.intents.states import IntentState
from funding.models import ReviewVerdict, Transfer
from funding.states import Verdict

_SAYS: Final = {
    Verdict.ATTACH: "It is what the broker has under the id below.",
    Verdict.DISMISS: "The broker never got it.",
}


def facts_of(transfer: Transfer) -> dict[str, Any]:
    """List what we know of it ourselves."""
    return {
        "Direction": columns.label(transfer.direction),
        "Amount": columns.dollars(transfer.amount),
        "Bank": f"{transfer.relationship} ({transfer.relationship.broker_relationship_id})",
        "Account": transfer.account,
        "Asked for": _moment(transfer.created_at),
        "Sent": _moment(transfer.sent_at),
        "State": columns.label(transfer.state),
    }


def words_of(verdict: ReviewVerdict) -> dict[str, Any]:
    """Say what is proposed, by whom and why."""
    named = {"The broker's id": verdict.broker_id} if verdict.broker_id else {}
    return {
        "Proposed": _SAYS[Verdict(verdict.verdict)],
        **named,
        "By": people.names_of([verdict.proposed_by])[verdict.proposed_by],
        "Because": verdict.reason,
    }


def banner(state: str, verdict: ReviewVerdict | None) -> dict[str, Any]:
    """Say in a banner who has to do what with something that is lost."""
    if state == IntentState.UNKNOWN:
        return {
            "title": "The machine is looking",
            "words": "The broker's answer got lost, and its list is being read for it.",
            "variant": "warning",
        }
    if verdict is None:
        return {
            "title": "An operator has to find out",
            "words": "The broker's list shows no trace of it. Compare it with what the broker has,"
            " ask the broker, and propose what became of it.",
            "variant": "danger",
        }
    return {
        "title": "An approver has to confirm",
        "words": "Somebody else than who proposed it.",
        "facts": words_of(verdict),
        "variant": "info",
    }


def table(transfer: Transfer, *, at: datetime, attach: str) -> dict[str, Any]:
    """Lay out what the list showed; `attach` is where one proposes that an entry is it."""
    entries = transfer.evidence.get("entries") or []
    looked_at = _read_time(transfer.evidence.get("looked_at"))
    return {
        "looked": columns.ago(looked_at, at=at),
        "table": {
            "headers": ["The broker's id", "Direction", "Amount", "Status", "Made", "Is it ours?"],
            "rows": [_row(entry, transfer, attach) for entry in entries],
        },
    }


def _row(entry: Mapping[str, Any], transfer: Transfer, attach: str) -> list[Any]:
    direction = str(entry.get("direction") or columns.NOTHING)
    made = _read_time(entry.get("created_at"))
    return [
        columns.short(entry.get("id")),
        columns.label(direction),
        _amount(entry.get("amount")),
        columns.label(str(entry.get("status") or columns.NOTHING)),
        _moment(made),
        _verdict_on(entry, transfer, attach),
    ]


def _verdict_on(entry: Mapping[str, Any], transfer: Transfer, attach: str) -> Any:
    """Say why an entry cannot be the transfer, or offer to say that it is."""
    if entry.get("is_taken"):
        return "another of our transfers"
    if entry.get("direction") != transfer.direction:
        return "goes the other way"
    if _decimal(entry.get("amount")) != transfer.amount:
        return "another amount"
    if not attach:
        return "may be"
    query = urlencode({"broker_id": str(entry.get("id"))})
    return columns.link(f"{attach}?{query}", "propose: it is this one")


def _amount(text: Any) -> str:
    amount = _decimal(text)
    return columns.NOTHING if amount is None else columns.dollars(amount)


def _decimal(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _read_time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _moment(moment: datetime | None) -> str:
    return columns.NOTHING if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
