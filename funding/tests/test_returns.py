"""A bank may send money back: ledger, account, customer and operator all learn of it."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.services import oversight
from accounts.tests.factories import make_account, now
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.errors import Invalid, NotFound, VendorUnavailable
from core.ids import new_id
from core.tests.parcels import pass_time
from funding import return_codes
from funding.gateways import Payment
from funding.services import returns, rules, transfer_upkeep, transfers
from funding.tests.factories import make_bank
from funding.tests.moving import (
    NOT_AUTHORIZED,
    account_of,
    bank_at_broker,
    case_of,
    kinds,
    move,
    refresh,
    row,
    sent_back,
    statuses,
    tell,
    told,
)
from ledger.tests import invariants
from ledger.tests.factories import cash_of, movement, open_ledger, post

ANN, BEN = Principal.staff(1), Principal.staff(2)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ledger_is_sound(db):
    yield
    invariants.check()


@pytest.fixture
def bank(funds):
    return make_bank()


def arrived(bank, amount="100.00", direction="INCOMING"):
    transfer = move(bank, amount, direction)
    tell(transfer, "COMPLETE", after=1)
    return transfer


class TestADepositThatHadArrived:
    def test_leaves_the_ledger_and_stops_the_account(self, funds, bank):
        transfer = arrived(bank)

        sent_back(funds, transfer)

        assert kinds(bank) == [("DEPOSIT", Decimal(100)), ("DEPOSIT_RETURN", Decimal(-100))]
        account = account_of(bank)
        assert (account.is_frozen, account.is_tradable) == (True, False)
        assert account.frozen_by == SYSTEM.name
        assert str(transfer.pk) in account.freeze_reason
        case = case_of(transfer)
        assert (case.was_complete, case.has_restricted, case.state) == (True, True, "OPEN")
        assert statuses(bank) == ["PENDING", "QUEUED", "COMPLETE", "RETURNED"]

    def test_gets_its_code_from_the_list_and_the_customer_is_told_once(self, funds, bank):
        transfer = arrived(bank)
        sent_back(funds, transfer)
        assert (case_of(transfer).code, told(bank, returns.RETURNED)) == ("", [])

        for _ in range(3):
            refresh()
            pass_time(86400)
            tell(transfer, "RETURNED", after=3)

        case = case_of(transfer)
        assert (case.code, case.words) == ("R10", NOT_AUTHORIZED)
        [news] = told(bank, returns.RETURNED)
        assert news == {
            "id": transfer.broker_transfer_id,
            "transfer_id": str(transfer.pk),
            "direction": "INCOMING",
            "amount": "100.00",
            "code": "R10",
            "meaning": return_codes.explain("R10").meaning,
            "is_restricted": True,
            "needs_new_bank": True,
        }
        assert len(kinds(bank)) == 2

    def test_a_reason_that_never_comes_is_told_as_such_and_a_late_one_is_kept(self, funds, bank):
        transfer = arrived(bank)
        sent_back(funds, transfer, "")
        refresh()
        [news] = told(bank, returns.RETURNED)
        assert (news["code"], news["meaning"]) == (None, return_codes.explain("").meaning)

        funds.settle(transfer.broker_transfer_id, "RETURNED", "R01 insufficient funds")
        pass_time(2 * 86400)
        refresh()

        assert case_of(transfer).code == "R01"
        assert len(told(bank, returns.RETURNED)) == 1

    def test_an_account_that_is_frozen_already_stays_as_it_is(self, funds, bank):
        transfer = arrived(bank)
        oversight.freeze(staff=ANN, account_id=bank.account_id, reason="Odd logins.", at=now())

        sent_back(funds, transfer)

        assert account_of(bank).frozen_by == "staff:1"
        assert case_of(transfer).has_restricted is False

    def test_the_restriction_is_lifted_like_any_freeze_and_does_not_come_back(self, funds, bank):
        transfer = arrived(bank)
        sent_back(funds, transfer, "R01: insufficient funds")
        with pytest.raises(rules.AccountFrozen):
            move(bank, "5")

        oversight.unfreeze(staff=BEN, account_id=bank.account_id, reason="Covered by a wire.")
        refresh()
        pass_time(2 * 86400)
        refresh()
        tell(transfer, "RETURNED", after=3)

        assert account_of(bank).is_tradable
        assert move(bank, "5").is_accepted
        assert recorded("account.frozen") == [SYSTEM.name]

    def test_news_in_any_order_lead_to_the_same_books(self, funds, bank):
        transfer = move(bank)
        sent_back(funds, transfer, after=200)
        assert kinds(bank) == []
        assert account_of(bank).is_tradable

        tell(transfer, "COMPLETE", after=100)  # comes late

        assert row(transfer).vendor_status == "RETURNED"
        assert kinds(bank) == [("DEPOSIT", Decimal(100)), ("DEPOSIT_RETURN", Decimal(-100))]
        assert (case_of(transfer).was_complete, account_of(bank).is_frozen) == (True, True)


@pytest.mark.parametrize("seed", range(16))
def test_repeats_and_any_order_lead_to_one_set_of_books(funds, bank, seed):
    chance = random.Random(seed)
    direction = chance.choice(["INCOMING", "OUTGOING"])
    open_ledger(bank.account, "500.01")
    transfer = move(bank, "100.00", direction)
    has_arrived = chance.random() < 0.7
    # So far apart that telling of one takes less time than lies between them.
    arrival = [("COMPLETE", 200)] if has_arrived else []
    life = [("SENT_TO_CLEARING", 100), *arrival, ("RETURNED", 300)]
    news = life * 2
    chance.shuffle(news)
    funds.settle(transfer.broker_transfer_id, "RETURNED", "R01: insufficient funds")

    for status, after in news:
        tell(transfer, status, after=after)
        if chance.random() < 0.3:
            pass_time(2 * 86400)
            refresh()
        if has_arrived and chance.random() < 0.3:
            post(books_line(bank, transfer, direction))
    refresh()

    cash = cash_of(bank.account)
    assert (cash.total, cash.held) == (Decimal("500.01"), 0)
    moved = [kind for kind, effect in kinds(bank) if effect and kind != "DEPOSIT"]
    heard = statuses(bank)
    assert len(heard) == len(set(heard))
    assert heard[-1] == "RETURNED"
    assert len(told(bank, returns.RETURNED)) == 1
    assert case_of(transfer).was_complete is has_arrived
    assert account_of(bank).is_frozen is (has_arrived and direction == "INCOMING")
    assert len(moved) == (0 if not has_arrived else 1 if direction == "INCOMING" else 2)


def books_line(bank, transfer, direction):
    """What the broker's books say of the arrival, however often they say it."""
    is_in = direction == "INCOMING"
    return movement(
        bank.account,
        "DEPOSIT" if is_in else "WITHDRAWAL",
        "100.00" if is_in else "-100.00",
        external_id=f"line-of-{transfer.pk}",
        occurred_at=now() + timedelta(seconds=2),
    )


def recorded(action):
    with acting_as(SYSTEM):
        found = AuditEntry.objects.filter(action=action).order_by("pk")
        return list(found.values_list("principal", flat=True))


class TestAWithdrawal:
    def test_that_comes_back_is_cash_again_and_stops_nothing(self, funds, bank):
        open_ledger(bank.account, "500.01")
        transfer = move(bank, "200.00", "OUTGOING")
        assert cash_of(bank.account).available == Decimal("300.01")
        tell(transfer, "COMPLETE", after=1)
        assert (cash_of(bank.account).total, cash_of(bank.account).held) == (
            Decimal("300.01"),
            Decimal(0),
        )

        sent_back(funds, transfer, "R03: no account")

        assert cash_of(bank.account).available == Decimal("500.01")
        assert kinds(bank)[-1] == ("WITHDRAWAL_RETURN", Decimal(200))
        assert account_of(bank).is_tradable
        assert case_of(transfer).has_restricted is False

    def test_that_never_left_frees_what_it_held(self, funds, bank):
        open_ledger(bank.account, "500.01")
        transfer = move(bank, "200.00", "OUTGOING")

        sent_back(funds, transfer, "R04")

        assert cash_of(bank.account).available == Decimal("500.01")
        assert cash_of(bank.account).held == 0


class TestTheBank:
    @pytest.mark.parametrize("code", sorted(return_codes.ENDS_BANK))
    def test_is_not_used_again_after_a_code_that_ends_it(self, funds, bank, code):
        transfer = move(bank)
        sent_back(funds, transfer, f"{code}: as the network says")
        refresh()

        with pytest.raises(transfers.RelationshipUnusable) as refused:
            move(bank, "5")

        assert return_codes.explain(code).meaning in refused.value.detail
        assert len(funds.payments) == 1

    def test_stays_in_use_after_other_codes_and_is_new_once_relinked(self, funds, bank):
        short = move(bank)
        sent_back(funds, short, "R01: insufficient funds")
        refresh()
        closed = move(bank, "5")
        sent_back(funds, closed, "R02")
        refresh()
        with acting_as(SYSTEM):
            bank.note_status("CANCELED", at=None)

        assert move(make_bank(bank.account), "5").is_accepted

    def test_a_transfer_that_waits_is_held_back_when_it_ends_meanwhile(self, funds, bank):
        first = move(bank)
        funds.fails_before = VendorUnavailable("fake", "not connected")
        waiting = move(bank, "5", "OUTGOING")
        sent_back(funds, first, "R02")
        refresh()

        pass_time(30)
        transfer_upkeep.sweep_transfers(at=now())

        assert row(waiting).state == "PENDING"
        assert funds.transfers[-1][1].direction == "INCOMING"


class TestResolve:
    def test_closes_the_case_with_a_note_and_is_on_record(self, funds, bank):
        transfer = arrived(bank)
        sent_back(funds, transfer)

        returns.resolve(
            staff=ANN, return_id=case_of(transfer).pk, note=" Paid back by wire. ", at=(at := now())
        )

        case = case_of(transfer)
        assert (case.state, case.note, case.resolved_by) == (
            "RESOLVED",
            "Paid back by wire.",
            "staff:1",
        )
        assert case.settled_at == at
        assert account_of(bank).is_frozen  # lifting that takes an approver
        assert recorded("transfer_return.resolved") == ["staff:1"]

    def test_needs_a_note_a_case_and_an_open_one(self, funds, bank):
        transfer = move(bank)
        sent_back(funds, transfer)
        case = case_of(transfer)

        with pytest.raises(Invalid):
            returns.resolve(staff=ANN, return_id=case.pk, note="  ", at=now())
        with pytest.raises(NotFound):
            returns.resolve(staff=ANN, return_id=new_id(), note="Done.", at=now())
        returns.resolve(staff=ANN, return_id=case.pk, note="Done.", at=now())
        with pytest.raises(returns.AlreadyResolved):
            returns.resolve(staff=BEN, return_id=case.pk, note="Again.", at=now())
        assert case_of(transfer).resolved_by == "staff:1"


def test_only_the_transfer_that_the_news_name_is_touched(funds, bank):
    other = make_bank(make_account())
    funds.add_transfer(
        other.account.broker_account_id,
        Payment(other.broker_relationship_id, "INCOMING", Decimal(100)),
    )
    untouched = arrived(other)

    sent_back(funds, arrived(bank))

    assert account_of(other).is_tradable
    assert (row(untouched).vendor_status, case_of(untouched)) == ("COMPLETE", None)


@pytest.mark.django_db(transaction=True)
class TestAgainstTheSandbox:
    def test_a_deposit_that_comes_back_is_followed_to_its_end(self, sandbox):
        bank = bank_at_broker(sandbox)
        sandbox.fault(kind="return_transfer", vendor="alpaca_broker")
        transfer = move(bank, "1234.56")
        sandbox.advance(4)
        refresh()
        assert kinds(bank) == [("DEPOSIT", Decimal("1234.56"))]

        sandbox.advance(10)
        due_now(transfer)
        refresh()

        assert kinds(bank)[-1] == ("DEPOSIT_RETURN", Decimal("-1234.56"))
        assert (case_of(transfer).code, case_of(transfer).was_complete) == ("R10", True)
        assert account_of(bank).is_frozen
        assert statuses(bank) == ["PENDING", "QUEUED", "COMPLETE", "RETURNED"]
        [news] = told(bank, returns.RETURNED)
        assert (news["code"], news["needs_new_bank"]) == ("R10", True)


def due_now(transfer):
    with acting_as(SYSTEM):
        type(transfer).objects.filter(pk=transfer.pk).update(due_at=now())
