"""One row of every table that the admin shows, with secrets planted in it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.apps import apps
from django.contrib.auth.models import Group, User

from core import crypto
from core.auth import SYSTEM, acting_as, api_keys
from core.ids import new_id
from core.inbox import MAX_ATTEMPTS
from core.models import IdempotencyRow, InboxEvent, LeaseRow, StreamCursor

SSN, BANK_NUMBER = "666-55-4321", "123456789"
SAID = "what the customer said"
NOW = datetime.now(UTC)


def model(label):
    return apps.get_model(label)


def account_of(number):
    return model("accounts.BrokerageAccount").objects.create(
        id=new_id(),
        user_id=f"customer-{number}",
        state="ACCEPTED",
        vendor_status="ACTIVE",
        broker_account_id=str(uuid4()),
        account_number=f"93{number:07}",
        email_masked="a***@example.com",
        email_index=f"index-of-email-{number}",
        tax_id_last4=SSN[-4:],
        tax_id_index=crypto.blind_index(SSN, purpose="tax_id"),
        sealed_payload=SSN.encode(),
        sealed_profile=b"sealed-profile",
    )


def money_of(account):
    owner = {"user_id": account.user_id, "account": account}
    bank = model("funding.AchRelationship").objects.create(
        **owner,
        state="ACCEPTED",
        vendor_status="APPROVED",
        broker_relationship_id=str(uuid4()),
        account_type="CHECKING",
        number_last4=BANK_NUMBER[-4:],
        number_index=f"index-of-{BANK_NUMBER}",
        sealed_payload=BANK_NUMBER.encode(),
    )
    model("funding.Transfer").objects.create(
        **owner,
        relationship=bank,
        state="NEEDS_REVIEW",
        reason="Three readings found no trace.",
        direction="INCOMING",
        amount=Decimal("1234.5"),
    )
    model("trading.CashBalance").objects.create(
        **owner, cash=Decimal("1000.5"), buying_power=Decimal(900), fetched_at=NOW
    )


def order_of(account):
    owner = {"user_id": account.user_id, "account": account}
    market = {"symbol": "AAPL", "side": "BUY"}
    order = model("trading.Order").objects.create(
        **owner,
        **market,
        state="ACCEPTED",
        vendor_status="filled",
        broker_account_id=account.broker_account_id,
        broker_order_id=str(uuid4()),
        order_type="MARKET",
        time_in_force="DAY",
        notional=Decimal(25),
        filled_quantity=Decimal("0.1"),
        average_price=Decimal("250.00"),
        placed_by="customer:one",
    )
    shares = {"quantity": Decimal("0.1")}
    model("trading.Execution").objects.create(
        **owner, **market, **shares, order=order, execution_id=str(uuid4()), price=250, at=NOW
    )
    model("trading.Position").objects.create(
        **owner,
        **shares,
        symbol="AAPL",
        available_quantity=Decimal("0.1"),
        average_entry_price=250,
        cost_basis=25,
    )
    return order


def proposal_of(account, order):
    proposal = model("trading.Proposal").objects.create(
        id=new_id(),
        user_id=account.user_id,
        account=account,
        run_id=new_id(),
        tool_call_id="call-1",
        symbol="AAPL",
        side="BUY",
        notional=Decimal(25),
        quote_price=250,
        quote_as_of=NOW,
        price_low=240,
        price_high=260,
        hash="f" * 64,
        state="APPROVED",
        order=order,
        expires_at=NOW,
    )
    model("trading.Approval").objects.create(
        user_id=account.user_id,
        proposal=proposal,
        approved_by="customer:one",
        hash=proposal.fingerprint(),
        text=proposal.text,
        price=250,
    )


def talk_of(account):
    conversation = model("chat.Conversation").objects.create(user_id=account.user_id, title=SAID)
    model("chat.Run").objects.create(user_id=account.user_id, conversation=conversation)


def machinery_of(number):
    InboxEvent.objects.create(
        source="alpaca.accounts",
        external_id=f"event-{number}",
        payload={"event_id": 7, "tax_id": SSN, "order": {"symbol": "AAPL", "bank": BANK_NUMBER}},
        attempts=MAX_ATTEMPTS,
        error="KeyError",
    )
    StreamCursor.objects.create(source=f"source-{number}", position="1")
    LeaseRow.objects.create(
        name=f"stream.{number}", holder=uuid4(), fence=3, until=NOW + timedelta(hours=1)
    )
    IdempotencyRow.objects.create(
        principal="customer:one",
        operation="funding.link_bank",
        key=f"key-{number}",
        fingerprint="e" * 64,
        response_status=201,
        response_body=BANK_NUMBER,
    )
    api_keys.create(label=f"Frontend {number}", scopes=["market:read"])
    model("core.IntentStep").objects.create(
        intent_kind="accounts.BrokerageAccount",
        intent_id=new_id(),
        from_state="PENDING",
        to_state="SENDING",
    )
    model("market.Instrument").objects.create(symbol=f"SYM{number}", name="Some name")
    model("market.WantedSymbol").objects.create(symbol=f"SYM{number}", reason="hub", until=NOW)
    User.objects.create_user(f"staff-{number}", password="a-password-to-hide")
    Group.objects.create(name=f"group-{number}")


def one_of_everything(number):
    with acting_as(SYSTEM):
        account = account_of(number)
        money_of(account)
        proposal_of(account, order_of(account))
        talk_of(account)
        machinery_of(number)
