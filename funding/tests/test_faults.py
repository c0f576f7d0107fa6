"""Real clients, a real broker in pretence, and everything that can go wrong between them."""

import random
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts import services as account_services
from accounts.tests.factories import application, customer
from core import inbox
from core.auth import SYSTEM, acting_as
from core.feeds import VendorEvent
from core.intents import sending
from funding.gateways import get_funds
from funding.gateways.alpaca import AlpacaFunds
from funding.models import AchRelationship, Transfer
from funding.services import bank_upkeep, news, relationships, transfer_upkeep, transfers
from funding.tests.factories import BANK
from ledger.tests import agreement
from ledger.tests import invariants as ledger_invariants

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

    def test_the_brokers_daily_limit_is_told(self, sandbox, owner, settings):
        settings.TRANSFER_LARGEST = settings.TRANSFER_DAILY_AMOUNT = Decimal(60_000)
        with pytest.raises(transfers.TransferRefused, match="50000"):
            move(owner, "50000.01")

        assert sandbox.effects("transfer.created") == []


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
        sandbox.hangs_no_more()
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
        sandbox.hangs_no_more()
        sandbox.advance(10)
        keep_events()
        news.apply_events()
        assert reread(transfer).state == "UNKNOWN"

        sweep(times=1)

        assert (reread(transfer).state, reread(transfer).vendor_status) == ("ACCEPTED", "COMPLETE")
        with acting_as(SYSTEM):
            assert Transfer.objects.count() == 1

    def test_a_late_answer_and_the_sweep_agree(self, sandbox, owner):
        sandbox.fault(
            kind="hang_after_accept",
            seconds=0.5,
            vendor="alpaca_broker",
            method="POST",
            path="/transfers",
        )
        sandbox.hangs_no_more()

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
        sandbox.hangs_no_more()
        sweep()

        assert reread(bank).state == "ACCEPTED"
        assert len(sandbox.effects("ach_relationship.created")) == 1


# How a call may go wrong, whether the broker has done its part or not. The last two come to the
# broker, or back from it, when the sender has given up already.
MANY_ENDINGS = (
    *({**ending, "accepted": done} for ending in ENDINGS for done in (True, False)),
    {"kind": "hang", "seconds": 2, "accepted": True},
    {"kind": "delay", "seconds": 2},
)
POSTING = {"vendor": "alpaca_broker", "method": "POST", "path": "/transfers"}
# Few, so that a lost transfer has others beside it that look the same.
AMOUNTS = ("10.00", "10.01", "25.50", "99.99")
# Who is to give up does so after a short time; a machine that is busy for some seconds is no such.
SHORT_SECONDS, PLENTY_SECONDS = 1, 10


class TestManyLostAnswers:
    """Deposits and withdrawals of one customer, each of whose answers is lost in some way."""

    @pytest.mark.timeout(600)
    @pytest.mark.parametrize(
        ("batch", "count"),
        [(0, 40), *(pytest.param(n, 100, marks=pytest.mark.proof) for n in range(1, 11))],
    )
    def test_all_are_paid_at_most_once_and_none_is_called_failed(
        self, sandbox, owner, settings, batch, count
    ):
        settings.TRANSFER_DAILY_COUNT = 1000
        _, account, _ = owner
        seed = {"cash": "50000", "months": 1}
        sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", seed)
        agreement.check_all()  # from here on withdrawals hold cash back
        chance = random.Random(batch)
        seen, ends = 0, Counter()

        for number in range(count):
            ending = MANY_ENDINGS[number % len(MANY_ENDINGS)]
            transfer = self.lose(sandbox, owner, settings, ending, chance)
            if number % 10 == 9:
                sandbox.advance(5)  # some of those before come to their end meanwhile
            is_done = ending.get("accepted", True)
            found = self.find_out(sandbox, transfer, since=seen, is_done=is_done)
            seen += found
            ends[reread(transfer).state] += 1
            assert found == int(is_done), ending
            ledger_invariants.check()
            if reread(transfer).state == "NEEDS_REVIEW":
                assert held_for(transfer) == held_back(transfer)
                sending.dismiss(transfer.pk, through=transfers.TransferCourier(), at=now())
                assert held_for(transfer) == 0

        assert ends.keys() <= {"ACCEPTED", "NEEDS_REVIEW"}
        assert ends["ACCEPTED"] == seen
        assert seen == len(sandbox.effects("transfer.created"))

    def lose(self, sandbox, owner, settings, ending, chance):
        """Ask for a transfer whose answer does not arrive."""
        sandbox.fault(**ending, **POSTING)
        waits = ending["kind"] in {"hang", "delay"}
        settings.VENDOR_TOTAL_SECONDS = SHORT_SECONDS if waits else PLENTY_SECONDS
        direction = chance.choice(("INCOMING", "OUTGOING"))
        transfer = move(owner, chance.choice(AMOUNTS), direction)
        settings.VENDOR_TOTAL_SECONDS = PLENTY_SECONDS
        assert transfer.state == "UNKNOWN", ending
        return transfer

    def find_out(self, sandbox, transfer, *, since, is_done):
        """Sweep until something is certain, or a person has to look; count what has happened."""
        for _ in range(4):
            transfer_upkeep.sweep_transfers(at=now())
            kept = reread(transfer)
            effects = sandbox.effects("transfer.created")[since:]
            assert len(effects) <= 1
            assert kept.state in {"UNKNOWN", "ACCEPTED", "NEEDS_REVIEW"}
            if kept.state != "UNKNOWN":
                break
        if is_done and kept.state == "NEEDS_REVIEW":  # the broker is late, as it is to be or busy
            effects = wait_for_effect(sandbox, since)
            transfer_upkeep.refresh_transfers(at=now())
            kept = reread(transfer)
        expected = "ACCEPTED" if effects else "NEEDS_REVIEW"
        assert kept.state == expected
        assert kept.broker_transfer_id == "".join(effect["vendor_id"] for effect in effects)
        return len(effects)


def wait_for_effect(sandbox, since):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        effects = sandbox.effects("transfer.created")[since:]
        if effects:
            return effects
        time.sleep(0.05)
    raise AssertionError("the late transfer never came")


def held_for(transfer):
    return ledger_invariants.open_holds().get(transfer.pk, 0)


def held_back(transfer):
    """What a transfer needs of the account's cash while nobody knows what became of it."""
    return transfer.amount if transfer.direction == "OUTGOING" else 0
