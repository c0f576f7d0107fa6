"""Proposals and approvals, for the staff."""

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, linebreaks
from django.utils.safestring import SafeString, mark_safe

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.filters import AgeFilter
from trading.admin.base import OfShares
from trading.models import Approval, Proposal, ProposalLine


class Lines(OfShares, ReadOnlyInline):
    model = ProposalLine
    fields = (
        "position",
        "symbol",
        "side_label",
        "size",
        "order_type",
        "time_in_force",
        "limit",
        "stop",
        "quote",
        "quote_as_of",
        "band",
        "estimate",
        "judged",
        "order",
        "approved_price",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProposalLine]:
        rows: QuerySet[ProposalLine] = super().get_queryset(request)
        return rows.select_related("approved__order").order_by("position")

    @admin.display(description="limit")
    def limit(self, line: ProposalLine) -> str:
        return columns.price(line.limit_price)

    @admin.display(description="stop")
    def stop(self, line: ProposalLine) -> str:
        return columns.price(line.stop_price)

    @admin.display(description="price shown")
    def quote(self, line: ProposalLine) -> str:
        return columns.price(line.quote_price)

    @admin.display(description="good between")
    def band(self, line: ProposalLine) -> str:
        return f"{columns.price(line.price_low)} and {columns.price(line.price_high)}"

    @admin.display(description="estimated")
    def estimate(self, line: ProposalLine) -> str:
        return columns.dollars(line.estimated_value)

    @admin.display(description="judged")
    def judged(self, line: ProposalLine) -> str:
        """Say what the rules said when it was proposed."""
        return str(line.verdict.get("rule") or "allowed")

    @admin.display(description="order")
    def order(self, line: ProposalLine) -> SafeString | str:
        return columns.short(line.order.pk) if line.order else columns.NOTHING

    @admin.display(description="price approved at")
    def approved_price(self, line: ProposalLine) -> str:
        return columns.price(line.approved.price) if line.order else columns.NOTHING


class Approvals(ReadOnlyInline):
    model = Approval
    fields = ("approved_by", "assurance", "at", "shown", "is_what_was_shown")
    readonly_fields = fields

    @admin.display(description="what was shown")
    def shown(self, approval: Approval) -> SafeString:
        return _paragraphs(approval.text)

    @admin.display(description="is what was shown", boolean=True)
    def is_what_was_shown(self, approval: Approval) -> bool:
        """Compare what was approved with what the proposal says today."""
        return approval.hash == approval.proposal.fingerprint()


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    waiting_states = ("PENDING",)
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "what",
        "origin",
        "customer",
        "state_label",
        "refused_for",
        "orders_short",
        "age",
    )
    list_filter = ("state", "origin", AgeFilter)
    search_fields = (
        "id__exact",
        "lines__symbol__exact",
        "user_id__exact",
        "run_id__exact",
        "lines__approved__order__id__exact",
    )
    search_help_text = "The id of the proposal, its run or its order, a symbol, the customer's id"
    fields = (
        "id",
        "shown",
        "user_id",
        "account",
        "origin",
        "run_id",
        "tool_call_id",
        "supersedes",
        "state_label",
        "refused_for",
        "verdicts",
        "version",
        "created_at",
        "expires_at",
        "settled_at",
    )
    readonly_fields = fields
    inlines: ClassVar[Any] = [Lines, Approvals]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Proposal]:
        rows: Any = super().get_queryset(request)
        whole: QuerySet[Proposal] = rows.whole()
        return whole

    @admin.display(description="what")
    def what(self, proposal: Proposal) -> str:
        """Name its orders; the page says the rest."""
        return "; ".join(
            f"{line.side} {columns.dollars(line.notional)} {line.symbol}"
            if line.notional is not None
            else f"{line.side} {columns.shares(line.quantity)} {line.symbol}"
            for line in proposal.in_order
        )

    @admin.display(description="what the customer is shown")
    def shown(self, proposal: Proposal) -> SafeString:
        return _paragraphs(proposal.text)

    @admin.display(description="refused for")
    def refused_for(self, proposal: Proposal) -> str:
        """Name the rule by which an approval came to nothing, if one did."""
        if not proposal.refusal:
            return columns.NOTHING
        rule = proposal.refusal["verdict"]["rule"]
        return f"{rule} (line {proposal.refusal['position']})"

    @admin.display(description="verdicts with their inputs")
    def verdicts(self, proposal: Proposal) -> SafeString:
        """Show what each line was judged by, and what an approval was refused by."""
        found: dict[str, Any] = {
            f"line {each.position}": each.verdict for each in proposal.in_order
        }
        if proposal.refusal:
            found["refused"] = proposal.refusal
        text = json.dumps(found, indent=2, ensure_ascii=False)
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)

    @admin.display(description="orders")
    def orders_short(self, proposal: Proposal) -> SafeString | str:
        orders = proposal.orders
        if len(orders) == 1:
            return columns.short(orders[0].pk)
        return f"{len(orders)} orders" if orders else columns.NOTHING


def _paragraphs(text: str) -> SafeString:
    return mark_safe(linebreaks(text, autoescape=True))  # noqa: S308 - escaped by itself
