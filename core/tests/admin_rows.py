"""One row of every table that the admin shows, with secrets planted in it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.apps import apps
from django.contrib.auth.models import Group, User

from core import audit, crypto
from core.auth import SYSTEM, acting_as, api_keys
from core.db.sealed import seal_into
from core.ids import new_id
from core.inbox import MAX_ATTEMPTS
from core.models import IdempotencyRow, InboxEvent, LeaseRow, StreamCursor
from core.tests.proposal_rows import proposal_of
from core.tests.worth_rows import worth_of

SSN, BANK_NUMBER = "666-55-4321", "123456789"
SAID = "what the customer said"
PERSON = {
    "contact": {
        "email_address": "augusta@lovelace.example",
        "phone_number": "+1-555-0142-777",
        "street_address": ["12 Analytical Row"],
        "city": "Wintersheim",
    },
    "identity": {
        "given_name": "Augusta",
        "family_name": "Lovelace",
        "date_of_birth": "1915-12-10",
    },
    "trusted_contact": {"given_name": "Babbidge", "phone_number": "+1-555-0143-888"},
}
PERSONAL = {
    "augusta@lovelace.example", "Augusta", "Lovelace", "0142-777", "0143-888",
    "12 Analytical Row", "Wintersheim", "1915-12-10", "Babbidge",
}  # fmt: skip
NOW = datetime.now(UTC)


def model(label):
    return apps.get_model(label)


def account_of(number):
    account = model("accounts.BrokerageAccount")(
        id=new_id(),
        user_id=f"customer-{number}",
        state="ACCEPTED",
        vendor_status="ACTIVE",
        broker_account_id=str(uuid4()),
        account_number=f"93{number:07}",
        email_masked="a***@lovelace.example",
        email_index=f"index-of-email-{number}",
        tax_id_type="USA_SSN",
        tax_id_last4=SSN[-4:],
        tax_id_index=crypto.blind_index(SSN, purpose="tax_id"),
        sealed_payload=SSN.encode(),
    )
    seal_into(account, "sealed_profile", json.dumps(PERSON).encode())
    account.save(force_insert=True)
    return account


def papers_of(account):
    owner = {"user_id": account.user_id, "account": account}
    request = model("accounts.DocumentRequest").objects.create(
        **owner,
        document_type="identity_verification",
        note="Please show both sides.",
        requested_by="staff:1",
    )
    model("accounts.DocumentUpload").objects.create(
        **owner,
        request=request,
        document_type="identity_verification",
        mime_type="image/png",
        size_bytes=1234,
        content_index="index-of-content",
        sealed_payload=SSN.encode(),
    )
    model("accounts.ContactChange").objects.create(
        **owner,
        fields=["contact.city"],
        values_index="index-of-values",
        sealed_payload=b"Wintersheim",
    )
    feed, _ = model("accounts.AccountFeed").objects.get_or_create(
        account=account, defaults={"user_id": account.user_id, "last_seq": 0}
    )
    feed.last_seq += 1
    feed.save()
    model("accounts.AccountEvent").objects.create(
        **owner,
        seq=feed.last_seq,
        kind="account.status",
        payload={"status": "ACTIVE", "is_frozen": False},
    )
    model("accounts.Preferences").objects.create(user_id=account.user_id)
    audit.record(
        "account.synced",
        principal="staff:1",
        subject_kind="accounts.BrokerageAccount",
        subject_id=account.pk,
        user_id=account.user_id,
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
    transfer = model("funding.Transfer").objects.create(
        **owner,
        relationship=bank,
        state="NEEDS_REVIEW",
        reason="Three readings found no trace.",
        direction="INCOMING",
        amount=Decimal("1234.5"),
        evidence={"looked_at": NOW.isoformat(), "entries": [seen_at_broker()]},
    )
    trouble_of(owner, bank, transfer)
    model("trading.CashBalance").objects.create(
        **owner, cash=Decimal("1000.5"), buying_power=Decimal(900), fetched_at=NOW
    )


def ledger_of(account):
    owner = {"user_id": account.user_id, "account": account}
    entry = model("ledger.Entry").objects.create(
        **owner,
        kind="DEPOSIT",
        debit="AVAILABLE",
        credit="BANK",
        amount=Decimal("250.5"),
        reference=uuid4(),
        occurred_at=NOW,
    )
    model("ledger.Witness").objects.create(
        user_id=account.user_id, entry=entry, kind="TRANSFER", external_id=str(uuid4())
    )
    model("ledger.LedgerBook").objects.create(**owner, broker_cash=Decimal("238.16"))
    model("ledger.Drift").objects.create(
        **owner,
        kind="BALANCE",
        difference=Decimal("-12.34"),
        evidence={"broker": "238.16", "ours": "250.50"},
        state="PROPOSED",
        remedy="EXPLAINED",
        note="Ticket 1",
        proposed_by="staff:1",
        proposed_at=NOW,
    )


def seen_at_broker():
    return {
        "id": str(uuid4()),
        "amount": "1234.50",
        "direction": "INCOMING",
        "status": "QUEUED",
        "created_at": NOW.isoformat(),
        "is_taken": False,
    }


def trouble_of(owner, bank, transfer):
    """What may become of a transfer and of a bank."""
    model("funding.ReviewVerdict").objects.create(
        user_id=owner["user_id"],
        transfer=transfer,
        verdict="DISMISS",
        reason="The broker knows nothing of it.",
        proposed_by="staff:1",
    )
    model("funding.TransferReturn").objects.create(
        **owner, transfer=transfer, code="R01", words="R01", was_complete=True
    )
    model("funding.Cancellation").objects.create(**owner, transfer=transfer, state="REJECTED")
    model("funding.TransferLimit").objects.create(
        **owner, largest=Decimal(5000), note="Ticket 1", set_by="staff:1"
    )
    model("funding.BankRemoval").objects.create(**owner, relationship=bank, state="REJECTED")
    item = model("funding.PlaidItem")(
        **owner,
        item_id=str(uuid4()),
        institution_name="First Platypus Bank",
        bank_accounts=[{"id": "a", "mask": "0000", "kind": "CHECKING"}],
    )
    seal_into(item, "sealed_access_token", BANK_NUMBER.encode())
    item.save(force_insert=True)
    session = model("funding.LinkSession")(
        **owner, item=item, link_token_index=f"index-of-{uuid4()}"
    )
    seal_into(session, "sealed_link_token", BANK_NUMBER.encode())
    session.save(force_insert=True)


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


def lots_of(account, order):
    owner = {"user_id": account.user_id, "account": account}
    lot = model("trading.Lot").objects.create(
        **owner,
        id=new_id(),
        root_id=new_id(),
        order=order,
        symbol="AAPL",
        quantity=Decimal("0.2"),
        remaining=Decimal("0.1"),
        cost=Decimal(50),
        cost_left=Decimal(25),
        wash_added=Decimal(5),
        basis_source="TRADE",
        acquired_at=NOW,
    )
    model("trading.LotClosing").objects.create(
        **owner,
        id=new_id(),
        lot=lot,
        fill_id=new_id(),
        order_id=order.pk,
        root_id=lot.root_id,
        symbol="AAPL",
        wash_symbol="AAPL",
        quantity=Decimal("0.1"),
        proceeds=Decimal(20),
        basis=Decimal(25),
        gain=Decimal(-5),
        disallowed=Decimal(5),
        term="SHORT",
        closed_at=NOW,
        closed_on=NOW.date(),
    )
    model("trading.LotPreference").objects.create(**owner, method="HIFO", set_by="customer:one")


def told_of(account, order):
    """What else is known of its shares: fills, other movements, and where the broker differs."""
    owner = {"user_id": account.user_id, "account": account}
    model("trading.LotBook").objects.create(**owner, symbol="AAPL", quantity=Decimal("0.1"))
    report = {"user_id": account.user_id, "order": order}
    model("trading.VoidExecution").objects.create(**report, execution_id=str(uuid4()))
    model("trading.OrderReport").objects.create(
        **report, origin="EVENT", kind="fill", status="filled", body={"order": {"symbol": "AAPL"}}
    )
    model("trading.ShareMovement").objects.create(
        **owner, external_id=str(uuid4()), kind="SPLIT", symbol="AAPL", quantity=Decimal(3),
        basis_source="UNKNOWN", is_void=True, at=NOW,
    )  # fmt: skip
    model("trading.PositionDrift").objects.create(
        **owner,
        symbol="AAPL",
        ours=Decimal("0.1"),
        theirs=Decimal("0.3"),
        state="PROPOSED",
        remedy="ADOPT",
        note="Ticket 1",
        proposed_by="staff:1",
        proposed_at=NOW,
    )


def controls_of(account):
    set_by = {"set_by": "staff:1", "user_id": account.user_id}
    model("trading.RiskLimit").objects.create(
        **set_by, account=account, max_notional=Decimal(5000), note="Ticket 1"
    )
    symbol = "".join(letter for letter in account.account_number if letter.isdigit())
    model("trading.RestrictedSymbol").objects.create(
        **set_by, symbol=f"X{symbol}", reason="Ticket 1"
    )
    model("trading.KillSwitch").objects.create(
        scope="ACCOUNT", target=str(account.pk), reason="Ticket 1", ordered_by="staff:1",
        user_id=account.user_id,
    )  # fmt: skip


def closure_of(account):
    owner = {"user_id": account.user_id, "account": account}
    bank = model("funding.AchRelationship").objects.filter(account=account).first()
    closure = model("closure.Closure").objects.create(
        **owner,
        relationship=bank,
        step="WITHDRAW",
        state="NEEDS_REVIEW",
        confirmation_number=f"CLR-{uuid4().hex[:12].upper()}",
        confirmations=[{"what": "confirm_liquidation", "by": "customer:one", "at": str(NOW)}],
        sales={"AAPL": {"number": 1, "problem": "The broker rejected the order."}},
        problem_kind="WITHDRAWAL_RETURNED",
        problem="The bank has sent a withdrawal back: R03",
        about=[str(uuid4())],
    )
    model("closure.ClosureStep").objects.create(
        user_id=account.user_id,
        closure=closure,
        step="LIQUIDATE",
        what="sales_sent",
        details={"orders": [str(uuid4())]},
    )
    model("closure.ClosingRequest").objects.create(**owner, closure=closure, state="REJECTED")


def talk_of(account):
    conversation = model("chat.Conversation").objects.create(user_id=account.user_id, title=SAID)
    said = {"user_id": account.user_id, "conversation": conversation}
    run = model("chat.Run").objects.create(**said)
    model("chat.Message").objects.create(**said, run=run, role="USER", content=SAID)


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
        papers_of(account)
        money_of(account)
        ledger_of(account)
        order = order_of(account)
        proposal_of(account, order, at=NOW)
        lots_of(account, order)
        told_of(account, order)
        closure_of(account)
        controls_of(account)
        worth_of(account, number, at=NOW)
        talk_of(account)
        machinery_of(number)
