"""What became of a lost transfer is settled by two people, and by what the broker shows."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.tests.factories import customer, make_account, now
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.errors import Invalid, NotFound, VendorUnavailable, VendorUnclear
from core.ids import new_id
from core.tests.parcels import pass_time
from funding.gateways import LinkedBank, Payment
from funding.models import AchRelationship, ReviewVerdict, Transfer
from funding.services import bank_upkeep, relationships, transfer_upkeep, transfers, verdicts
from funding.tests.factories import BANK, make_bank

ANN, BEN = Principal.staff(1), Principal.staff(2)
UNCLEAR = VendorUnclear("fake", "no answer")
LONG_AGO = now().replace(year=2020)

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(funds):
    return make_bank()


def move(bank, amount="25.00"):
    return transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal(amount),
        direction="INCOMING",
        request=None,
        at=now(),
    )


@pytest.fixture
def lost(bank, funds):
    """A transfer of which the broker shows no trace."""
    funds.fails_before = UNCLEAR
    moved = move(bank)
    for _ in range(3):
        transfer_upkeep.sweep_transfers(at=now())
        pass_time(11)
    return row(moved)


@pytest.fixture
def stray(bank, funds):
    """A transfer that the broker has and none of our rows, made too early to be found."""
    return at_broker(bank, funds)


def at_broker(bank, funds, amount="25.00", direction="INCOMING", *, through=None):
    payment = Payment(through or bank.broker_relationship_id, direction, Decimal(amount))
    funds._clock, clock = (lambda: LONG_AGO), funds._clock
    moved = funds.add_transfer(bank.account.broker_account_id, payment)
    funds._clock = clock
    return moved


def link(account):
    return relationships.link_bank(
        principal=customer(account.user_id),
        account_id=account.pk,
        bank=BANK,
        request=None,
        at=now(),
    )


def bank_row(bank):
    with acting_as(SYSTEM):
        found = AchRelationship.objects.select_related("account").prefetch_related("removals")
        return found.get(pk=bank.pk)


def row(transfer):
    with acting_as(SYSTEM):
        return Transfer.objects.get(pk=transfer.pk)


def propose(transfer, verdict="DISMISS", *, by=ANN, which="", reason="Asked the broker."):
    return verdicts.propose(
        staff=by,
        transfer_id=transfer.pk,
        verdict=verdict,
        broker_transfer_id=which,
        reason=reason,
        at=now(),
    )


def confirm(verdict, *, by=BEN):
    return verdicts.confirm(staff=by, verdict_id=verdict.pk, at=now())


def state_of(verdict):
    with acting_as(SYSTEM):
        return ReviewVerdict.objects.get(pk=verdict.pk).state


def recorded():
    with acting_as(SYSTEM):
        found = AuditEntry.objects.filter(action__startswith="verdict.").order_by("pk")
        return [(entry.action.partition(".")[2], entry.principal) for entry in found]


class TestDismissing:
    def test_takes_two_people_and_leaves_a_record_of_both(self, lost):
        proposed = propose(lost)
        assert row(lost).state == "NEEDS_REVIEW"

        verdict = confirm(proposed)

        assert (row(lost).state, verdict.state) == ("REJECTED", "CONFIRMED")
        assert (verdict.proposed_by, verdict.confirmed_by) == ("staff:1", "staff:2")
        assert recorded() == [("proposed", "staff:1"), ("confirmed", "staff:2")]

    def test_lets_the_customer_ask_again(self, lost, bank):
        confirm(propose(lost))

        assert move(bank).is_accepted is True

    def test_is_not_confirmed_by_who_proposed_it(self, lost):
        proposed = propose(lost)

        with pytest.raises(verdicts.SamePerson):
            confirm(proposed, by=ANN)

        assert (row(lost).state, state_of(proposed)) == ("NEEDS_REVIEW", "PROPOSED")

    def test_what_turns_up_at_the_moment_of_confirming_is_taken_over_instead(
        self, lost, bank, funds
    ):
        proposed = propose(lost)
        late = funds.add_transfer(
            bank.account.broker_account_id,
            Payment(bank.broker_relationship_id, "INCOMING", Decimal("25.00")),
        )

        verdict = confirm(proposed)

        assert verdict.state == "WITHDRAWN"
        assert (row(lost).state, row(lost).broker_transfer_id) == (
            "ACCEPTED", late.broker_transfer_id,
        )  # fmt: skip
        assert recorded()[-1] == ("withdrawn", "staff:2")

    def test_nothing_is_settled_while_the_broker_cannot_be_read(self, lost, funds):
        proposed = propose(lost)
        funds.reading_fails = VendorUnavailable("fake", "not connected")

        with pytest.raises(VendorUnavailable):
            confirm(proposed)

        assert (row(lost).state, state_of(proposed)) == ("NEEDS_REVIEW", "PROPOSED")


class TestAttaching:
    def test_makes_the_brokers_transfer_ours(self, lost, stray, funds):
        funds.settle(stray.broker_transfer_id, "COMPLETE")

        verdict = confirm(propose(lost, "ATTACH", which=stray.broker_transfer_id))

        found = row(lost)
        assert verdict.state == "CONFIRMED"
        assert (found.state, found.vendor_status) == ("ACCEPTED", "COMPLETE")
        assert found.broker_transfer_id == stray.broker_transfer_id
        assert len(funds.payments) == 1

    def test_of_one_that_the_broker_does_not_list_is_refused(self, lost):
        with pytest.raises(verdicts.DoesNotFit, match="lists nothing of that id"):
            propose(lost, "ATTACH", which=str(new_id()))

    @pytest.mark.parametrize(
        ("other", "why"),
        [
            ({"amount": "25.01"}, r"25\.01.*25\.00"),
            ({"direction": "OUTGOING"}, "other way"),
            ({"through": "another-bank"}, "another bank"),
        ],
    )
    def test_of_one_that_differs_is_refused_and_says_in_what(self, lost, bank, funds, other, why):
        wrong = at_broker(bank, funds, **other)

        with pytest.raises(verdicts.DoesNotFit, match=why):
            propose(lost, "ATTACH", which=wrong.broker_transfer_id)

    def test_of_one_that_another_row_holds_is_refused(self, bank, funds):
        taken = move(bank)
        funds.fails_before = UNCLEAR
        second = move(bank)
        for _ in range(3):
            transfer_upkeep.sweep_transfers(at=now())
            pass_time(11)

        with pytest.raises(verdicts.DoesNotFit, match="Another of our transfers"):
            propose(row(second), "ATTACH", which=taken.broker_transfer_id)

    def test_looks_again_when_it_is_confirmed(self, lost, stray, funds):
        proposed = propose(lost, "ATTACH", which=stray.broker_transfer_id)
        funds.transfers = []

        with pytest.raises(verdicts.DoesNotFit):
            confirm(proposed)

        assert (row(lost).state, state_of(proposed)) == ("NEEDS_REVIEW", "PROPOSED")

    @pytest.mark.parametrize(
        ("verdict", "which"), [("ATTACH", ""), ("ATTACH", " "), ("DISMISS", "x")]
    )
    def test_names_a_transfer_if_and_only_if_it_is_one(self, lost, verdict, which):
        with pytest.raises(Invalid):
            propose(lost, verdict, which=which)


class TestProposals:
    def test_need_a_reason(self, lost):
        with pytest.raises(Invalid) as refusal:
            propose(lost, reason="  ")

        assert list(refusal.value.field_errors) == ["reason"]

    def test_are_made_one_at_a_time(self, lost):
        first = propose(lost)
        with pytest.raises(verdicts.AlreadyProposed):
            propose(lost, by=BEN)

        verdicts.withdraw(staff=BEN, verdict_id=first.pk, at=now())

        assert propose(lost, by=BEN).state == "PROPOSED"

    def test_that_are_settled_are_neither_confirmed_nor_withdrawn(self, lost):
        proposed = propose(lost)
        verdicts.withdraw(staff=ANN, verdict_id=proposed.pk, at=now())

        with pytest.raises(verdicts.NotProposed):
            confirm(proposed)
        with pytest.raises(verdicts.NotProposed):
            verdicts.withdraw(staff=ANN, verdict_id=proposed.pk, at=now())
        assert row(lost).state == "NEEDS_REVIEW"

    def test_are_for_what_is_under_review_only(self, bank):
        with pytest.raises(verdicts.NotUnderReview):
            propose(move(bank))

    def test_of_nothing_are_not_found(self, lost):
        nothing = type("Nothing", (), {"pk": new_id()})
        with pytest.raises(NotFound):
            propose(nothing)
        with pytest.raises(NotFound):
            confirm(nothing)

    def test_are_withdrawn_when_the_machine_finds_the_transfer_by_itself(self, lost, bank, funds):
        proposed = propose(lost)
        assert verdicts.withdraw_settled(at=now()) == 0
        funds.add_transfer(
            bank.account.broker_account_id,
            Payment(bank.broker_relationship_id, "INCOMING", Decimal("25.00")),
        )
        pass_time(600)
        transfer_upkeep.refresh_transfers(at=now())
        assert row(lost).state == "ACCEPTED"

        assert verdicts.withdraw_settled(at=now()) == 1
        assert state_of(proposed) == "WITHDRAWN"

    def test_confirmed_after_the_machine_found_it_are_withdrawn(self, lost, bank, funds):
        proposed = propose(lost)
        late = funds.add_transfer(
            bank.account.broker_account_id,
            Payment(bank.broker_relationship_id, "INCOMING", Decimal("25.00")),
        )
        verdicts.look_again(staff=ANN, transfer_id=lost.pk, at=now())

        assert confirm(proposed).state == "WITHDRAWN"
        assert row(lost).broker_transfer_id == late.broker_transfer_id


class TestLookingAgain:
    def test_shows_what_the_broker_lists_when_it_is_not_there(self, lost, stray):
        looked = verdicts.look_again(staff=ANN, transfer_id=lost.pk, at=now())

        assert looked.state == "NEEDS_REVIEW"
        [entry] = looked.evidence["entries"]
        assert (entry["id"], entry["is_taken"]) == (stray.broker_transfer_id, False)

    def test_settles_it_when_it_is_there(self, lost, bank, funds):
        payment = Payment(bank.broker_relationship_id, "INCOMING", Decimal("25.00"))
        funds.add_transfer(bank.account.broker_account_id, payment)

        assert verdicts.look_again(staff=ANN, transfer_id=lost.pk, at=now()).state == "ACCEPTED"

    def test_helps_the_machine_with_one_it_is_still_looking_for(self, bank, funds):
        funds.fails_after = UNCLEAR
        unsure = move(bank)
        assert unsure.state == "UNKNOWN"

        assert verdicts.look_again(staff=ANN, transfer_id=unsure.pk, at=now()).state == "ACCEPTED"

    def test_leaves_alone_what_nobody_has_lost(self, bank, funds):
        moved = move(bank)
        funds.reading_fails = VendorUnavailable("fake", "nobody should ask")

        assert verdicts.look_again(staff=ANN, transfer_id=moved.pk, at=now()).state == "ACCEPTED"


class TestBanks:
    @pytest.fixture
    def lost_bank(self, funds):
        """A bank of which the broker shows no trace."""
        funds.fails_before = UNCLEAR
        linked = link(make_account())
        for _ in range(3):
            bank_upkeep.sweep_relationships(at=now())
            pass_time(11)
        return bank_row(linked)

    def propose(self, bank, verdict="DISMISS", which=""):
        return verdicts.propose_for_bank(
            staff=ANN,
            relationship_id=bank.pk,
            verdict=verdict,
            broker_relationship_id=which,
            reason="Asked the broker.",
            at=now(),
        )

    def at_broker(self, bank, funds, made_at=LONG_AGO):
        linked = LinkedBank(str(new_id()), "APPROVED", made_at, made_at)
        funds.banks.append((bank.account.broker_account_id, linked))
        return linked.broker_relationship_id

    def made_now(self, bank, funds):
        return self.at_broker(bank, funds, datetime.now(UTC))

    def test_are_dismissed_by_two_people(self, lost_bank):
        proposed = self.propose(lost_bank)
        with pytest.raises(verdicts.SamePerson):
            confirm(proposed, by=ANN)
        assert bank_row(lost_bank).state == "NEEDS_REVIEW"

        assert confirm(proposed).state == "CONFIRMED"
        assert bank_row(lost_bank).state == "REJECTED"

    def test_are_attached_by_two_people(self, lost_bank, funds):
        which = self.at_broker(lost_bank, funds)

        assert confirm(self.propose(lost_bank, "ATTACH", which)).state == "CONFIRMED"

        found = bank_row(lost_bank)
        assert (found.broker_relationship_id, found.is_usable) == (which, True)

    def test_are_not_attached_beside_an_active_one(self, lost_bank, funds):
        make_bank(lost_bank.account)
        which = self.at_broker(lost_bank, funds)

        with pytest.raises(verdicts.DoesNotFit, match="one only"):
            self.propose(lost_bank, "ATTACH", which)

    def test_are_not_attached_twice(self, lost_bank, funds):
        other = make_bank()
        known = LinkedBank(other.broker_relationship_id, "APPROVED", now(), now())
        funds.banks.append((lost_bank.account.broker_account_id, known))

        with pytest.raises(verdicts.DoesNotFit, match="Another of our banks"):
            self.propose(lost_bank, "ATTACH", other.broker_relationship_id)

    def test_are_looked_up_again(self, lost_bank, funds):
        seen = verdicts.look_again_for_bank(staff=ANN, relationship_id=lost_bank.pk, at=now())
        assert seen.state == "NEEDS_REVIEW"
        made = self.made_now(lost_bank, funds)

        seen = verdicts.look_again_for_bank(staff=ANN, relationship_id=lost_bank.pk, at=now())

        assert seen.broker_relationship_id == made

    def test_a_second_try_has_the_first_one_looked_for_when_the_broker_refuses_it(
        self, lost_bank, funds
    ):
        self.made_now(lost_bank, funds)

        with pytest.raises(relationships.RelationshipExists, match="not on your list"):
            link(lost_bank.account)
        bank_upkeep.refresh_relationships(at=now())

        assert bank_row(lost_bank).is_usable is True
