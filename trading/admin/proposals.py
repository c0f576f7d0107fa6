"""Proposals and approvals, for the staff."""

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.filters import AgeFilter
from trading.admin.base import OfShares
from trading.models import Approval, Proposal


class Approvals(ReadOnlyInline):
    model = Approval
    fields = ("approved_by", "at", "text", "at_price", "is_what_was_shown")
    readonly_fields = fields

    @admin.display(description="price")
    def at_price(self, approval: Approval) -> str:
        return columns.price(approval.price)

    @admin.display(description="is what was shown", boolean=True)
    def is_what_was_shown(self, approval: Approval) -> bool:
        """Compare what was approved with what the proposal says today."""
        return approval.hash == approval.proposal.fingerprint()


@admin.register(Proposal)
class ProposalAdmin(OfShares, ReadOnlyAdmin):
    waiting_states = ("PENDING",)
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "symbol",
        "side_label",
        "size",
        "band",
        "customer",
        "state_label",
        "order_id_short",
        "age",
    )
    list_filter = ("state", "side", AgeFilter)
    search_fields = (
        "id__exact",
        "symbol__exact",
        "user_id__exact",
        "run_id__exact",
        "order__id__exact",
    )
    search_help_text = "The id of the proposal, its run or its order, a symbol, the customer's id"
    fields = (
        "id",
        "text",
        "user_id",
        "account",
        "run_id",
        "tool_call_id",
        "state_label",
        "size",
        "quote",
        "band",
        "quote_as_of",
        "order",
        "created_at",
        "expires_at",
        "settled_at",
    )
    readonly_fields = fields
    inlines: ClassVar[Any] = [Approvals]

    @admin.display(description="price shown")
    def quote(self, proposal: Proposal) -> str:
        return columns.price(proposal.quote_price)

    @admin.display(description="good between")
    def band(self, proposal: Proposal) -> str:
        return f"{columns.price(proposal.price_low)} and {columns.price(proposal.price_high)}"

    @admin.display(description="order", ordering="order_id")
    def order_id_short(self, proposal: Proposal) -> SafeString | str:
        return columns.short(proposal.order_id)
