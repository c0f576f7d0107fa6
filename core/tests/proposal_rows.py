"""A proposal with its line, its approval and its order, for pages that show all of it."""

from decimal import Decimal

from django.apps import apps

from core.ids import new_id


def proposal_of(account, order, *, at):
    proposal = apps.get_model("trading.Proposal").objects.create(
        id=new_id(),
        user_id=account.user_id,
        account=account,
        account_label="•••• 4471",
        origin="AGENT",
        run_id=new_id(),
        tool_call_id="call-1",
        hash="f" * 64,
        state="APPROVED",
        expires_at=at,
    )
    line = apps.get_model("trading.ProposalLine").objects.create(
        id=new_id(),
        user_id=account.user_id,
        proposal=proposal,
        position=1,
        symbol="AAPL",
        side="BUY",
        order_type="MARKET",
        time_in_force="DAY",
        notional=Decimal(25),
        quote_price=250,
        quote_as_of=at,
        price_low=240,
        price_high=260,
        estimated_value=Decimal(25),
    )
    approval = apps.get_model("trading.Approval").objects.create(
        user_id=account.user_id,
        proposal=proposal,
        approved_by="customer:one",
        hash=proposal.fingerprint(),
        text=proposal.text,
    )
    apps.get_model("trading.ApprovedLine").objects.create(
        user_id=account.user_id, line=line, approval=approval, order=order, price=250
    )
