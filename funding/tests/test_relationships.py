"""An account has one bank, whose number nobody keeps."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from accounts.tests.factories import customer, make_account, now
from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import Invalid, NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding import selectors
from funding.gateways import FundingNews, LinkedBank
from funding.models import AchRelationship
from funding.services import bank_upkeep, news, relationships, rules
from funding.tests.factories import BANK, make_bank

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")

pytestmark = pytest.mark.django_db


def link(account, bank=BANK, *, by=None):
    return relationships.link_bank(
        principal=by or customer(account.user_id),
        account_id=account.pk,
        bank=bank,
        request=None,
        at=now(),
    )


def row(bank):
    with acting_as(SYSTEM):
        return AchRelationship.objects.get(pk=bank.pk)


def look(times=1):
    for _ in range(times):
        bank_upkeep.sweep_relationships(at=now())
        pass_time(11)


def tell(vendor_id, status, *, at="2026-11-23T15:00:00Z", ulid="01"):
    payload = {"kind": FundingNews.RELATIONSHIP, "id": vendor_id, "status": status, "at": at}
    inbox.receive(news.SOURCE, ulid, payload, cursor=ulid)
    return news.apply_events()


class TestLinkBank:
    def test_reaches_the_broker_once_and_keeps_four_digits(self, funds):
        bank = link(make_account())

        assert funds.bank_accounts == [BANK]
        assert (bank.state, bank.vendor_status, bank.is_usable) == ("ACCEPTED", "APPROVED", True)
        assert (bank.number_last4, bank.sealed_payload) == ("6789", None)
        kept = str(row(bank).__dict__)
        assert BANK.number not in kept
        assert BANK.routing_number not in kept

    def test_the_owner_of_the_account_owns_the_bank_unless_named(self, funds):
        link(make_account(), replace(BANK, owner_name=""))

        assert funds.bank_accounts[0].owner_name == "Ada Stone"

    def test_an_account_that_is_not_active_links_nothing(self, funds):
        with pytest.raises(rules.AccountNotActive):
            link(make_account(status="SUBMITTED"))

        assert funds.bank_accounts == []

    def test_a_second_bank_is_refused_before_sending_and_told_which_is_in_the_way(self, funds):
        account = make_account()
        first = link(account)

        with pytest.raises(relationships.RelationshipExists) as refusal:
            link(account, replace(BANK, number="987654321"))

        assert refusal.value.extra == {"relationship_id": first.broker_relationship_id}
        assert "POST /delete-ach-relationship" in refusal.value.detail
        assert len(funds.bank_accounts) == 1

    def test_a_savings_account_is_linked_as_such(self, funds):
        bank = link(make_account(), replace(BANK, account_type="SAVINGS", nickname="Rainy days"))

        assert (bank.account_type, bank.nickname) == ("SAVINGS", "Rainy days")
        assert funds.bank_accounts[0].account_type == "SAVINGS"

    def test_a_number_that_another_customer_has_linked_is_allowed_and_noted(self, funds):
        link(make_account())

        with capture_logs() as logs:
            again = link(make_account())

        [seen] = [entry for entry in logs if entry["event"] == "relationship.seen_elsewhere"]
        assert (seen["id"], seen["count"]) == (str(again.pk), 1)
        assert BANK.number not in str(logs)
        assert again.is_accepted is True

    def test_ones_own_bank_of_earlier_is_nobody_else(self, funds):
        account = make_account()
        make_bank(account, status="CANCELED")

        with capture_logs() as logs:
            link(account)

        assert "relationship.seen_elsewhere" not in {entry["event"] for entry in logs}

    def test_a_bank_that_is_nobodys_is_refused(self, funds):
        account = make_account()
        with acting_as(SYSTEM):
            person = account.person()
            account.update_person(replace(person, identity={}))

        with pytest.raises(Invalid) as refusal:
            link(account, replace(BANK, owner_name=""))

        assert list(refusal.value.field_errors) == ["accountOwnerName"]
        assert funds.bank_accounts == []

    def test_a_bank_that_only_the_broker_knows_stands_in_the_way_too(self, funds):
        account = make_account()
        funds.banks.append((account.broker_account_id, LinkedBank("x", "APPROVED", now(), now())))

        with pytest.raises(relationships.RelationshipExists):
            link(account)

    def test_after_a_cancelation_another_bank_may_be_linked(self, funds):
        account = make_account()
        make_bank(account, status="CANCELED")

        assert link(account).is_accepted

    def test_a_refusal_is_told_in_the_brokers_words(self, funds):
        funds.fails_before = VendorRejected("fake", "routing number unknown")

        with pytest.raises(relationships.RelationshipRefused) as refusal:
            link(make_account())

        assert refusal.value.detail == "The broker refused the bank: routing number unknown"

    def test_nobody_links_a_bank_to_somebody_elses_account(self, funds):
        with pytest.raises(NotFound):
            link(make_account(), by=customer())

        assert funds.bank_accounts == []


class TestUnsureOutcomes:
    def test_a_lost_answer_is_found_in_the_brokers_list(self, funds):
        funds.fails_after = UNCLEAR
        bank = link(make_account())
        assert (bank.state, bank.sealed_payload) == ("UNKNOWN", None)

        look()

        [(_, linked)] = funds.banks
        assert row(bank).broker_relationship_id == linked.broker_relationship_id
        assert (row(bank).state, len(funds.bank_accounts)) == ("ACCEPTED", 1)

    def test_without_a_trace_a_person_decides_and_the_customer_may_try_again(self, funds):
        account = make_account()
        funds.fails_before = UNCLEAR
        lost = link(account)

        look(times=3)

        assert row(lost).state == "NEEDS_REVIEW"
        assert link(account).is_accepted

    def test_an_older_bank_of_the_account_is_not_mistaken_for_ours(self, funds):
        account = make_account()
        old = LinkedBank("old", "CANCELED", now().replace(year=2020), now().replace(year=2020))
        funds.banks.append((account.broker_account_id, old))
        funds.fails_before = UNCLEAR
        lost = link(account)

        look(times=3)

        assert (row(lost).state, row(lost).broker_relationship_id) == ("NEEDS_REVIEW", "")

    def test_one_that_never_arrived_is_sent_by_the_sweep(self, funds):
        funds.fails_before = AWAY
        bank = link(make_account())
        assert bank.state == "PENDING"

        pass_time(30)
        look()

        assert (row(bank).state, len(funds.banks)) == ("ACCEPTED", 1)


class TestNews:
    def test_approves_a_queued_bank(self, funds):
        bank = make_bank(status="QUEUED")

        assert tell(bank.broker_relationship_id, "APPROVED") == 1
        assert row(bank).is_usable is True

    def test_an_unknown_word_is_kept_and_alarmed(self, funds):
        bank = make_bank()

        with capture_logs() as logs:
            tell(bank.broker_relationship_id, "FROZEN")

        assert (row(bank).vendor_status, row(bank).is_usable) == ("FROZEN", False)
        assert [e["event"] for e in logs if e["log_level"] == "error"] == [
            "relationship.unknown_status"
        ]

    def test_news_that_overtake_the_answer_wait_for_it(self, funds):
        funds.bank_status = "QUEUED"
        funds.fails_after = UNCLEAR
        bank = link(make_account())
        [(_, linked)] = funds.banks
        later = linked.created_at.replace(year=linked.created_at.year + 1).isoformat()

        assert tell(linked.broker_relationship_id, "APPROVED", at=later) == 0
        look()
        news.apply_events()

        assert row(bank).is_usable is True

    def test_a_late_event_is_made_up_for_by_asking(self, funds):
        funds.bank_status = "QUEUED"
        account = make_account()
        bank = link(account)
        [(owner, linked)] = funds.banks
        funds.banks = [(owner, replace(linked, status="APPROVED"))]

        assert bank_upkeep.refresh_relationships(at=now()) == 1
        assert row(bank).is_usable is True
        assert bank_upkeep.refresh_relationships(at=now()) == 0


class TestWhoSeesWhat:
    def test_only_the_owner_lists_an_accounts_banks(self):
        bank = make_bank()
        owner = customer(bank.user_id)

        found = selectors.list_relationships(principal=owner, account_id=bank.account_id)

        assert found == [bank]
        with pytest.raises(NotFound):
            selectors.list_relationships(principal=customer(), account_id=bank.account_id)
