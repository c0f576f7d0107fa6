"""A bank is removed once, at the broker and here, and makes room for another."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.apps import apps

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.db.sealed import seal_into
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding import selectors
from funding.gateways import FundingNews, LinkedBank
from funding.models import AchRelationship, BankRemoval, PlaidItem, Transfer
from funding.services import bank_upkeep, relationships, removals, transfers
from funding.tests.factories import BANK, make_bank

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(funds):
    """A bank that both sides know."""
    bank = make_bank()
    known = LinkedBank(bank.broker_relationship_id, "APPROVED", now(), now())
    funds.banks.append((bank.account.broker_account_id, known))
    return bank


def remove(bank, *, by=None, named=None):
    return removals.remove_bank(
        principal=by or customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=named or bank.pk,
        at=now(),
    )


def link(account, bank=BANK):
    return relationships.link_bank(
        principal=customer(account.user_id),
        account_id=account.pk,
        bank=bank,
        request=None,
        at=now(),
    )


def move(bank, direction="INCOMING"):
    return transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal("10.00"),
        direction=direction,
        request=None,
        at=now(),
    )


def row(bank):
    with acting_as(SYSTEM):
        return AchRelationship.objects.get(pk=bank.pk)


def states(model=BankRemoval):
    with acting_as(SYSTEM):
        return list(model.objects.order_by("pk").values_list("state", flat=True))


def told(bank):
    with acting_as(SYSTEM):
        events = apps.get_model("accounts.AccountEvent").objects.filter(kind="bank.status")
        events = events.filter(account_id=bank.account_id)
        return [
            payload["status"]
            for payload in events.order_by("seq").values_list("payload", flat=True)
        ]


def sweep(times=1):
    for _ in range(times):
        removals.sweep_removals(at=now())
        pass_time(11)


def put_account(bank, **columns):
    with acting_as(SYSTEM):
        type(bank.account).objects.filter(pk=bank.account_id).update(**columns)


class TestRemoveBank:
    def test_takes_it_off_at_the_broker_and_tells_the_customer(self, bank, funds):
        removal = remove(bank)

        assert removal.is_certain is True
        assert funds.banks == []
        assert (row(bank).vendor_status, row(bank).reason) == (
            "CANCELED", "The bank was removed as asked.",
        )  # fmt: skip
        assert told(bank) == ["CANCELED"]

    def test_is_named_by_the_brokers_id_as_well(self, bank):
        assert remove(bank, named=bank.broker_relationship_id).is_certain is True

    def test_asked_for_twice_happens_once(self, bank, funds):
        first, again = remove(bank), remove(bank)

        assert (first.is_certain, again.is_certain) == (True, True)
        assert funds.removed_banks == [bank.broker_relationship_id]
        assert states() == ["ACCEPTED"]
        assert told(bank) == ["CANCELED"]

    def test_makes_room_for_another_bank_at_once(self, bank, funds):
        with pytest.raises(relationships.RelationshipExists) as refusal:
            link(bank.account)
        assert refusal.value.extra == {"relationship_id": bank.broker_relationship_id}
        assert "/delete-ach-relationship" in refusal.value.detail

        remove(bank)

        assert link(bank.account, replace(BANK, number="987654321")).is_usable is True
        assert len(funds.banks) == 1

    @pytest.mark.parametrize("columns", [{"frozen_at": now()}, {"vendor_status": "ACCOUNT_CLOSED"}])
    def test_a_frozen_or_closed_account_may_do_so_too(self, bank, columns):
        put_account(bank, **columns)

        assert remove(bank).is_certain is True

    def test_nobody_removes_somebody_elses_bank(self, bank, funds):
        with pytest.raises(NotFound):
            remove(bank, by=customer())
        with pytest.raises(NotFound):
            removals.remove_bank(
                principal=customer(bank.user_id),
                account_id=bank.account_id,
                relationship_id=make_bank().pk,
                at=now(),
            )

        assert (funds.removed_banks, states()) == ([], [])

    def test_one_that_may_still_be_on_its_way_to_the_broker_is_not_removed(self, funds):
        funds.fails_after = UNCLEAR
        unsure = link(make_account())

        with pytest.raises(removals.RelationshipUndecided):
            remove(unsure)
        assert states() == []

    def test_one_that_was_refused_is_not_there(self, funds):
        account = make_account()
        funds.fails_before = VendorRejected("fake", "no")
        with pytest.raises(relationships.RelationshipRefused):
            link(account)
        with acting_as(SYSTEM):
            refused = AchRelationship.objects.get(account_id=account.pk)

        with pytest.raises(NotFound):
            remove(refused)

    def test_the_sign_in_behind_it_is_given_up(self, bank):
        with acting_as(SYSTEM):
            item = PlaidItem(user_id=bank.user_id, account_id=bank.account_id, item_id="item-1")
            seal_into(item, "sealed_access_token", b"token")
            item.save(force_insert=True)
            AchRelationship.objects.filter(pk=bank.pk).update(item=item)

        remove(bank)

        with acting_as(SYSTEM):
            assert PlaidItem.objects.get(pk=item.pk).state == "REMOVING"


class TestMoneyOnItsWay:
    def test_a_transfer_that_is_moving_stands_in_the_way(self, bank, funds):
        moved = move(bank)

        with pytest.raises(removals.TransfersOnTheirWay):
            remove(bank)
        assert (funds.removed_banks, states()) == ([], [])

        with acting_as(SYSTEM):
            Transfer.objects.filter(pk=moved.pk).update(vendor_status="COMPLETE")
        assert remove(bank).is_certain is True

    def test_so_does_one_that_is_lost(self, bank, funds):
        funds.fails_before = UNCLEAR
        move(bank)

        with pytest.raises(removals.TransfersOnTheirWay):
            remove(bank)

    def test_no_transfer_goes_through_a_bank_that_is_being_removed(self, bank, funds):
        funds.fails_before = UNCLEAR
        assert remove(bank).is_certain is False

        with pytest.raises(transfers.RelationshipNotApproved):
            move(bank)
        assert funds.payments == []
        [listed] = selectors.list_relationships(
            principal=customer(bank.user_id), account_id=bank.account_id
        )
        assert listed.shown_status == "CANCEL_REQUESTED"


class TestUnsureOutcomes:
    def test_a_lost_answer_is_found_in_the_brokers_list(self, bank, funds):
        funds.fails_after = UNCLEAR
        assert remove(bank).is_certain is False
        assert states() == ["UNKNOWN"]

        sweep()

        assert (states(), row(bank).vendor_status) == (["ACCEPTED"], "CANCELED")
        assert funds.removed_banks == [bank.broker_relationship_id]

    def test_one_that_never_arrived_is_sent_again(self, bank, funds):
        funds.fails_before = UNCLEAR
        remove(bank)

        sweep(times=2)

        assert (states(), funds.banks) == (["ACCEPTED"], [])
        assert len(funds.removed_banks) == 2

    def test_while_the_broker_is_away_it_waits(self, bank, funds):
        funds.fails_before = AWAY
        assert remove(bank).is_certain is False
        assert (states(), row(bank).vendor_status) == (["PENDING"], "APPROVED")

        pass_time(30)
        sweep()

        assert (states(), row(bank).vendor_status) == (["ACCEPTED"], "CANCELED")

    def test_a_refusal_leaves_the_bank_as_it_was_and_may_be_tried_again(self, bank, funds):
        funds.fails_before = VendorRejected("fake", "transfers are pending")

        with pytest.raises(removals.RemovalRefused) as refusal:
            remove(bank)

        assert refusal.value.detail.endswith("transfers are pending")
        assert (states(), row(bank).is_usable) == (["REJECTED"], True)
        assert remove(bank).is_certain is True

    def test_the_broker_is_not_believed_that_it_never_had_a_bank_that_it_lists(self, bank, funds):
        class Confused(type(funds)):
            def remove_bank(self, *_):
                return False

        funds.__class__ = Confused

        assert remove(bank).is_certain is False
        assert (states(), row(bank).vendor_status) == (["UNKNOWN"], "APPROVED")

    def test_a_bank_that_is_gone_at_the_broker_already_is_gone_here(self, bank, funds):
        funds.banks = []

        assert remove(bank).is_certain is True
        assert row(bank).vendor_status == "CANCELED"

    def test_a_broker_that_only_begins_to_remove_it_is_asked_until_it_has(self, bank, funds):
        def say(status):
            funds.banks = [(owner, replace(known, status=status)) for owner, known in funds.banks]

        funds.fails_before = UNCLEAR
        remove(bank)
        say("CANCEL_REQUESTED")
        sweep()
        assert (states(), row(bank).vendor_status) == (["ACCEPTED"], "CANCEL_REQUESTED")
        assert remove(bank).is_certain is False

        say("CANCELED")
        bank_upkeep.refresh_relationships(at=now())

        assert row(bank).vendor_status == "CANCELED"
        assert told(bank) == ["CANCEL_REQUESTED", "CANCELED"]


class TestNews:
    def test_that_come_late_do_not_bring_a_removed_bank_back(self, bank, funds):
        remove(bank)
        another = link(bank.account, replace(BANK, number="987654321"))
        late = FundingNews(
            FundingNews.RELATIONSHIP, bank.broker_relationship_id, "APPROVED", "", None
        )

        with acting_as(SYSTEM):
            bank_upkeep.apply_news(late)

        assert row(bank).vendor_status == "CANCELED"
        assert row(another).is_usable is True

    def test_of_a_change_are_told_to_the_customer_once(self, bank):
        news = FundingNews(
            FundingNews.RELATIONSHIP, bank.broker_relationship_id, "CANCELED", "", None
        )
        with acting_as(SYSTEM):
            bank_upkeep.apply_news(news)
            bank_upkeep.apply_news(news)

        assert told(bank) == ["CANCELED"]


class TestMissingBanks:
    def test_two_looks_make_sure_that_a_bank_is_gone(self, bank, funds):
        funds.banks = []

        bank_upkeep.refresh_relationships(at=now())
        bank_upkeep.refresh_relationships(at=now())  # too soon to count
        assert (row(bank).vendor_status, told(bank)) == ("APPROVED", [])

        pass_time(11)
        bank_upkeep.refresh_relationships(at=now())

        assert row(bank).vendor_status == "CANCELED"
        assert row(bank).reason == "The broker does not list the bank any more."
        assert told(bank) == ["CANCELED"]

    def test_one_that_shows_up_again_has_never_been_away(self, bank, funds):
        known, funds.banks = funds.banks, []
        bank_upkeep.refresh_relationships(at=now())
        funds.banks = known
        pass_time(11)
        bank_upkeep.refresh_relationships(at=now())
        funds.banks = []
        pass_time(25 * 3600)
        bank_upkeep.refresh_relationships(at=now())

        assert (row(bank).vendor_status, told(bank)) == ("APPROVED", [])

    def test_a_broker_that_cannot_be_read_proves_nothing(self, bank, funds):
        funds.reading_fails = AWAY
        for _ in range(3):
            bank_upkeep.refresh_relationships(at=now())
            pass_time(31)

        assert row(bank).vendor_status == "APPROVED"

    def test_what_cannot_be_read_lets_others_go_first(self, bank, funds):
        funds.reading_fails = AWAY

        assert bank_upkeep.refresh_relationships(at=now()) == 1
        assert bank_upkeep.refresh_relationships(at=now()) == 0


class TestTheRoutes:
    def test_the_originals_body_removes_a_bank(self, bank, api):
        body = {"accountId": str(bank.account_id), "relationshipId": bank.broker_relationship_id}

        answer = api(customer(bank.user_id)).post("/delete-ach-relationship", body, format="json")

        assert (answer.status_code, answer.json()) == (
            200, {"success": True, "id": bank.broker_relationship_id, "status": "CANCELED"},
        )  # fmt: skip

    def test_the_path_removes_a_bank_and_says_so_while_unsure(self, bank, api, funds):
        funds.fails_before = UNCLEAR
        path = f"/api/account/{bank.account_id}/ach-relationships/{bank.pk}"

        answer = api(customer(bank.user_id)).delete(path)

        assert (answer.status_code, answer.json()["status"]) == (202, "CANCEL_REQUESTED")

    def test_a_transfer_on_its_way_is_named_as_the_reason(self, bank, api):
        move(bank)
        path = f"/api/account/{bank.account_id}/ach-relationships/{bank.pk}"

        answer = api(customer(bank.user_id)).delete(path)

        assert (answer.status_code, answer.json()["code"]) == (409, "transfers_on_their_way")

    @pytest.mark.parametrize("named", ["x", "00000000-0000-0000-0000-000000000000", "%00"])
    def test_a_bank_that_is_not_there_is_not_found(self, bank, api, named):
        path = f"/api/account/{bank.account_id}/ach-relationships/{named}"

        assert api(customer(bank.user_id)).delete(path).status_code == 404

    @pytest.mark.parametrize(
        "body", [{}, {"accountId": "x"}, {"accountId": 1, "relationshipId": []}]
    )
    def test_a_body_without_names_is_refused(self, bank, api, body):
        answer = api(customer(bank.user_id)).post("/delete-ach-relationship", body, format="json")

        assert answer.status_code == 400
