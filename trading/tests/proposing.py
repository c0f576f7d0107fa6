"""One suggestion, as an agent's tool makes it, and the customer's word on it."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.apps import apps
from django.db import connection

from core.auth import SYSTEM, acting_as
from trading import approvals, proposals
from trading.models import Proposal, ProposalLine
from trading.states import Side
from trading.tests.factories import customer
from trading.tickets import Ticket

RUN = UUID("0190a4c5-0000-7000-8000-000000000001")


def now():
    return datetime.now(UTC)


def propose(call="call-1", *, principal=None, account_id=None, run_id=RUN, **wish):
    wish = wish or {"notional": Decimal(100)}
    ticket = Ticket(**{"symbol": "AAPL", "side": Side.BUY} | wish)
    return proposals.propose_trade(
        principal=principal or customer(),
        run_id=run_id,
        tool_call_id=call,
        ticket=ticket,
        account_id=account_id,
        at=now(),
    )


def approve(proposal, *, shown=None, principal=None):
    return approvals.approve(
        principal=principal or customer(),
        proposal_id=proposal.pk,
        shown_hash=proposal.hash if shown is None else shown,
        at=now(),
    )


def whole(proposal):
    """Read a proposal again with its lines."""
    with acting_as(SYSTEM):
        return Proposal.objects.whole().get(pk=proposal.pk)


def tamper(proposal, **columns):
    with acting_as(SYSTEM):
        Proposal.objects.filter(pk=proposal.pk).update(**columns)


def tamper_line(proposal, **columns):
    """Change what was shown, as only somebody can who takes the database's own guard away."""
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET ROLE NONE")
        cursor.execute("ALTER TABLE trading_proposalline DISABLE TRIGGER append_only")
        ProposalLine.objects.filter(proposal_id=proposal.pk).update(**columns)
        cursor.execute("ALTER TABLE trading_proposalline ENABLE TRIGGER append_only")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET ROLE clera_app")


def feed_of(account, kind):
    with acting_as(SYSTEM):
        events = apps.get_model("accounts.AccountEvent").objects
        rows = events.filter(account_id=account.pk, kind=kind).order_by("seq")
        return list(rows.values_list("payload", flat=True))
