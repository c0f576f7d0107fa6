"""The life of one order as the staff reads it: every move, verdict, fill and word of the broker."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.intents.models import IntentStep
from trading.models import Execution, Order, OrderReport

_ORIGINS: Final = {
    "ANSWER": "The broker answered",
    "EVENT": "The broker told",
    "READING": "Read at the broker",
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened to an order; `more` is text to unfold."""

    at: datetime
    title: str
    label: str = ""
    colour: str = ""
    text: str = ""
    more: str = ""
    more_title: str = ""


def render(order: Order) -> SafeString:
    """Show what happened to an order, the oldest first."""
    moments = sorted(_all(order), key=lambda moment: moment.at)
    earlier = [order.created_at, *(moment.at for moment in moments)]
    rows = [
        {"moment": moment, "after": columns.span(moment.at - before)}
        for moment, before in zip(moments, earlier, strict=False)
    ]
    return SafeString(render_to_string("trading/timeline.html", {"rows": rows}))


def _all(order: Order) -> Iterator[Moment]:
    yield _written(order)
    yield from (_step(step) for step in IntentStep.objects.filter(intent_id=order.pk))
    yield from (_report(report) for report in OrderReport.objects.filter(order=order))
    yield from (_fill(fill) for fill in Execution.objects.filter(order=order))
    if order.cancel_asked_at is not None:
        by = f"By {order.cancel_asked_by}." if order.cancel_asked_by else ""
        yield Moment(at=order.cancel_asked_at, title="Cancellation asked for", text=by)


def _written(order: Order) -> Moment:
    """Begin with what the rules said, and what they weighed."""
    verdict = order.verdict or {}
    is_allowed = bool(verdict.get("allowed", True))
    rule = str(verdict.get("rule") or "")
    return Moment(
        at=order.created_at,
        title="Written down",
        label="allowed" if is_allowed else rule,
        colour="success" if is_allowed else "danger",
        text=str(verdict.get("detail") or ""),
        more=_pretty(verdict) if verdict else "",
        more_title="What the rules weighed",
    )


def _step(step: IntentStep) -> Moment:
    is_word = step.from_state == step.to_state
    return Moment(
        at=step.at,
        title="The broker's word changed" if is_word else f"{step.from_state} → {step.to_state}",
        label=step.vendor_status,
        text=step.reason,
    )


def _report(report: OrderReport) -> Moment:
    return Moment(
        at=report.heard_at,
        title=_ORIGINS[report.origin],
        label=report.kind or report.status,
        more=_pretty(report.body),
        more_title="Word for word",
    )


def _fill(fill: Execution) -> Moment:
    shares, price = columns.shares(fill.quantity), columns.price(fill.price)
    return Moment(
        at=fill.created_at,
        title=f"{shares} at {price}",
        label="taken back" if fill.is_busted else "fill",
        colour="danger" if fill.is_busted else "success",
        text=f"Execution {fill.execution_id}, at {fill.at:%Y-%m-%d %H:%M:%S} UTC.",
    )


def _pretty(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True)
