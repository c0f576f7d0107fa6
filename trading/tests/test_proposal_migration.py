"""Proposals of before there were lines keep what they said, their hash, and their order."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from uuid import UUID, uuid4

import pytest
from django.db import connection

from core.auth import SYSTEM, acting_as
from trading import wording
from trading.models import ApprovedLine, Proposal, ProposalLine
from trading.tests import factories

pytestmark = pytest.mark.django_db
MOVE = import_module("trading.migrations.0005_proposal_lines").MOVE
AT = datetime(2026, 1, 2, 15, 30, tzinfo=UTC)
# Tables of the session hide those of the database: as they are when the rows move.
TABLES = """
    CREATE TEMP TABLE trading_proposal (
        id uuid, user_id text, account_id uuid, account_label text DEFAULT '', origin text,
        version int DEFAULT 1, expires_at timestamptz, warnings jsonb DEFAULT '[]', hash text,
        symbol text, side text, quantity numeric(24, 9), notional numeric(18, 2),
        quote_price numeric(24, 9), quote_as_of timestamptz, price_low numeric(24, 9),
        price_high numeric(24, 9), order_id uuid
    );
    CREATE TEMP TABLE trading_approval (id uuid, proposal_id uuid, price numeric(24, 9));
    CREATE TEMP TABLE trading_proposalline (LIKE public.trading_proposalline INCLUDING CONSTRAINTS);
    CREATE TEMP TABLE trading_approvedline (LIKE public.trading_approvedline INCLUDING CONSTRAINTS);
    GRANT ALL ON trading_proposal, trading_approval, trading_proposalline, trading_approvedline
        TO clera_app;
"""
ADD = """
    INSERT INTO trading_proposal (
        id, user_id, account_id, origin, expires_at, symbol, side, quantity, notional,
        quote_price, quote_as_of, price_low, price_high, order_id, hash
    ) VALUES (%s, 'alice-sub', %s, 'AGENT', %s, 'AAPL', 'BUY', %s, %s, 100, %s, 99, 101, %s, '')
"""
IDS = [UUID(int=number) for number in (1, 2)]
ORDER, APPROVAL = uuid4(), uuid4()


@pytest.fixture
def moved(db, apple):
    account = factories.new_account()
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute(TABLES)
        cursor.execute(ADD, [IDS[0], account.pk, AT, None, 25, AT, ORDER])
        cursor.execute(ADD, [IDS[1], account.pk, AT, Decimal("1.5"), None, AT, None])
        cursor.execute("INSERT INTO trading_approval VALUES (%s, %s, 100.5)", [APPROVAL, IDS[0]])
        cursor.execute(MOVE)
        cursor.execute("SET ROLE clera_app")
        yield account


def line_of(number):
    return ProposalLine.objects.get(proposal_id=IDS[number])


def test_lines_say_what_the_proposals_said(moved):
    first, second = line_of(0), line_of(1)

    assert (first.ticket, first.estimated_value) == (factories.buy(notional="25"), Decimal(25))
    assert (second.ticket, second.estimated_value) == (factories.buy(quantity="1.5"), Decimal(150))


def test_the_account_has_its_label(moved):
    labels = set(Proposal.objects.values_list("account_label", flat=True))

    assert labels == {f"•••• {moved.account_number[-4:]}"}


def test_the_order_and_the_price_of_an_approval_are_kept(moved):
    (approved,) = ApprovedLine.objects.values("line_id", "order_id", "approval_id", "price")

    assert approved == {
        "line_id": line_of(0).pk,
        "order_id": ORDER,
        "approval_id": APPROVAL,
        "price": Decimal("100.5"),
    }


def test_what_was_approved_is_still_provable(moved):
    proposal = Proposal.objects.only("id", "user_id", "account_id", "version").get(pk=IDS[0])

    assert wording.text_of(proposal, [line_of(0)]) == (
        "BUY $25.00 of AAPL at the market price, as long as it is $99.00 to $101.00."
    )
    shown = {
        "id": str(IDS[0]),
        "user_id": "alice-sub",
        "account_id": str(moved.pk),
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": None,
        "notional": "25.00",
        "quote_price": "100.00",
        "price_low": "99.00",
        "price_high": "101.00",
        "text": "BUY $25.00 of AAPL at the market price, as long as it is $99.00 to $101.00.",
    }
    canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"))
    was = hashlib.sha256(canonical.encode()).hexdigest()
    assert wording.fingerprint_of(proposal, [line_of(0)]) == was
