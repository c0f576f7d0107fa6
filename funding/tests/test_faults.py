"""Real clients, a real broker in pretence, and everything that can go wrong between them."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts import services as account_services
from accounts.tests.factories import application, customer
from core import inbox
from core.auth import SYSTEM, acting_as
from core.feeds import VendorEvent
from funding.gateways import get_funds
from funding.gateways.alpaca import AlpacaFunds
from funding.models import AchRelationship, Transfer
from funding.services import bank_upkeep, links, news, relationships, transfer_upkeep, transfers
from funding.tests.factories import BANK

pytestmark = pytest.mark.django_db(transaction=True)

# How a call may end badly, whether or not the broker has done its part.
ENDINGS = (
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 500},
    {"kind": "garbage"},
    {"kind": "garbage", "variant": "html"},
)


@pytest.fixture(autouse=True)
def _looks_at_once(settings):
    settings.INTENT_LOOK_SECONDS = 0


@pytest.fixture
def owner(sandbox):
    """A customer with an active account and an approved bank, made the ordinary way."""
    ada = customer()
    account = account_services.open_account(
        principal=ada, application=application(), request=None, at=now()
    )
    sandbox.advance(5)
    account_services.refresh_account(principal=ada, account_id=account.pk)
    bank = relationships.link_bank(
        principal=ada, account_id=account.pk, bank=BANK, request=None, at=now()
    )
    sandbox.advance(10)
    bank_upkeep.refresh_relationships(at=now())
    return ada, account, reread(bank)


def now():
    return datetime.now(UTC)


def reread(row):
    with acting_as(SYSTEM):
        return type(row).objects.get(pk=row.pk)


def move(owner, amount="100.00", direction="INCOMING"):
    ada, account, bank = owner
    return transfers.move_money(
        principal=ada,
        account_id=account.pk,
        relationship_id=bank.pk,
        amount=Decimal(amount),
        direction=direction,
        request=None,
        at=now(),
    )


def sweep(times=4):
    for _ in range(times):
        bank_upkeep.sweep_relationships(at=now())
        transfer_upkeep.sweep_transfers(at=now())
        news.apply_events()


def keep_events():
    """Read the broker's stream up to its first pause, as the follower does."""
    pauses = 0
    with get_funds().feed().open(inbox.position_of(news.SOURCE)) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                inbox.receive(news.SOURCE, item.position, item.payload, cursor=item.position)
            pauses += item is None
            if pauses == 2:  # the first is the greeting
                return


class TestTheOrdinaryWay:
    def test_money_arrives_and_may_be_taken_back(self, sandbox, owner):
        sandbox.fault(kind="return_transfer", vendor="alpaca_broker")
        transfer = move(owner, "1234.56")
        assert (transfer.state, transfer.vendor_status) == ("ACCEPTED", "QUEUED")

        sandbox.advance(4)
        keep_events()
        assert news.apply_events() > 0
        assert reread(transfer).vendor_status == "COMPLETE"

        sandbox.advance(10)
        keep_events()
        news.apply_events()
        transfer_upkeep.refresh_transfers(at=now())
        assert reread(transfer).vendor_status == "RETURNED"
        assert reread(transfer).reason == "R10: customer advises not authorized"
        assert [e["amount"] for e in sandbox.effects("transfer.created")] == ["1234.56"]

    def test_events_seen_twice_or_in_disorder_lead_to_the_same_end(self, sandbox, owner):
        for kind in ("duplicate", "reorder", "duplicate"):
            sandbox.fault(kind=kind, vendor="alpaca_broker", stream="funding")
        transfer = move(owner)
        sandbox.advance(10)

        keep_events()
        keep_events()
        news.apply_events()

        assert reread(transfer).vendor_status == "COMPLETE"

    def test_a_list_of_many_pages_is_read_to_its_end(self, sandbox, owner):
        _, account, _ = owner
        sent = {move(owner, f"{cents}.00").broker_transfer_id for cents in range(1, 6)}

        listed = AlpacaFunds(page_size=2).list_transfers(account.broker_account_id)

        assert {moved.broker_transfer_id for moved in listed} == sent
        assert sum(moved.amount for moved in listed) == Decimal(15)

    def test_the_broker_refuses_a_second_bank(self, sandbox, owner):
        ada, account, bank = owner
        with acting_as(SYSTEM):
            AchRelationship.objects.filter(pk=bank.pk).update(vendor_status="CANCELED")

        with pytest.raises(relationships.RelationshipExists):
            relationships.link_bank(
                principal=ada, account_id=account.pk, bank=BANK, request=None, at=now()
            )

    def test_the_brokers_daily_limit_is_told(self, sandbox, owner):
        with pytest.raises(transfers.TransferRefused, match="50000"):
            move(owner, "50000.01")

        assert sandbox.effects("transfer.created") == []

    def test_plaid_gives_a_page(self, sandbox, owner):
        ada, account, _ = owner

        link = links.create_link(
            principal=ada,
            account_id=account.pk,
            redirect_uri="https://app.example.com/callback",
            email="ada@example.com",
        )

        assert link.token.startswith("link-")
        assert link.url.startswith("http")


class TestLostAnswers:
    @pytest.mark.parametrize("seed", range(10))
    def test_a_transfer_happens_at_most_once_and_is_never_called_failed(self, sandbox, owner, seed):
        chance = random.Random(seed)
        ending = ENDINGS[seed % len(ENDINGS)]
        is_accepted = chance.random() < 0.6
        amount = f"{chance.randrange(1, 5000)}.{chance.randrange(100):02}"
        sandbox.fault(
            **ending, accepted=is_accepted, vendor="alpaca_broker", method="POST", path="/transfers"
        )

        transfer = move(owner, amount)
        assert transfer.state == "UNKNOWN"
        sweep()

        settled = reread(transfer)
        effects = sandbox.effects("transfer.created")
        assert len(effects) == int(is_accepted)
        assert settled.state == ("ACCEPTED" if is_accepted else "NEEDS_REVIEW")
        assert settled.broker_transfer_id == "".join(e["vendor_id"] for e in effects)

    def test_news_of_a_lost_transfer_wait_until_it_is_found(self, sandbox, owner):
        sandbox.fault(
            kind="hang_after_accept", vendor="alpaca_broker", method="POST", path="/transfers"
        )
        transfer = move(owner)
        sandbox.advance(10)
        keep_events()
        news.apply_events()
        assert reread(transfer).state == "UNKNOWN"

        sweep(times=1)

        assert (reread(transfer).state, reread(transfer).vendor_status) == ("ACCEPTED", "COMPLETE")
        with acting_as(SYSTEM):
            assert Transfer.objects.count() == 1

    def test_a_late_answer_and_the_sweep_agree(self, sandbox, owner, settings):
        settings.VENDOR_TOTAL_SECONDS = 5
        sandbox.fault(
            kind="hang_after_accept",
            seconds=0.5,
            vendor="alpaca_broker",
            method="POST",
            path="/transfers",
        )

        transfer = move(owner)
        sweep()

        assert reread(transfer).state == "ACCEPTED"
        assert len(sandbox.effects("transfer.created")) == 1

    @pytest.mark.parametrize("ending", ENDINGS, ids=str)
    def test_a_bank_is_linked_at_most_once(self, sandbox, ending):
        ada = customer()
        account = account_services.open_account(
            principal=ada, application=application(), request=None, at=now()
        )
        sandbox.advance(5)
        account_services.refresh_account(principal=ada, account_id=account.pk)
        sandbox.fault(
            **ending,
            accepted=True,
            vendor="alpaca_broker",
            method="POST",
            path="/ach_relationships",
        )

        bank = relationships.link_bank(
            principal=ada, account_id=account.pk, bank=BANK, request=None, at=now()
        )
        assert (bank.state, bank.sealed_payload) == ("UNKNOWN", None)
        sweep()

        assert reread(bank).state == "ACCEPTED"
        assert len(sandbox.effects("ach_relationship.created")) == 1
