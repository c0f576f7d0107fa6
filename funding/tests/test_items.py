"""A sign-in works, wants its customer again, or is given up for good."""

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding.models import AchRelationship, PlaidItem
from funding.services import items, linking
from funding.services import links as pages
from funding.tests.factories import make_bank

REDIRECT = "https://app.example.com/callback"
SIX_HOURS = 6 * 3600 + 60
FAILURES = [
    VendorUnavailable("fake", "not connected"),
    VendorUnclear("fake", "no answer"),
    VendorRejected("fake", "not now", vendor_code="INTERNAL"),
]

pytestmark = pytest.mark.django_db


@pytest.fixture
def linked(funds, links):
    """A bank that was signed in to."""
    account = make_account()
    return linking.process_token(
        principal=customer(account.user_id),
        account_id=account.pk,
        public_token=links.sign_in(),
        plaid_account_id="",
        request=None,
        at=now(),
    )


def reread(session):
    with acting_as(SYSTEM):
        return PlaidItem.objects.get(pk=session.item_id)


def told(session):
    client = APIClient()
    client.force_authenticate(user=customer(session.user_id))
    events = client.get(f"/api/account/{session.account_id}/events").json()["events"]
    return [event["kind"] for event in events if event["kind"].startswith("bank.login")]


def open_update_page(session, *, by=None):
    return pages.create_link(
        principal=by or customer(session.user_id),
        account_id=session.account_id,
        redirect_uri=REDIRECT,
        relationship_id=str(session.relationship_id),
    )


class TestGivingUp:
    def test_removes_it_at_plaid_and_erases_its_token(self, links, linked):
        with acting_as(SYSTEM):
            items.give_up(item_id=linked.item_id, at=now())
            items.give_up(item_id=linked.item_id, at=now())
        assert not links.only_item().is_gone

        at = now()
        linking.sweep_links(at=at)
        pass_time(SIX_HOURS)
        linking.sweep_links(at=at)
        items.refresh_items(at=at)

        gone = reread(linked)
        assert links.only_item().is_gone
        assert (gone.state, gone.sealed_access_token, gone.removed_at) == ("REMOVED", None, at)
        assert links.calls.count("remove_item") == 1

    @pytest.mark.parametrize("error", FAILURES)
    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_goes_on_until_plaid_has_heard(self, links, linked, when, error):
        with acting_as(SYSTEM):
            items.give_up(item_id=linked.item_id, at=now())
        getattr(links, when)["remove_item"] = error
        linking.sweep_links(at=now())
        assert reread(linked).state == "REMOVING"

        linking.sweep_links(at=now())
        pass_time(61)
        linking.sweep_links(at=now())

        assert reread(linked).state == "REMOVED"
        assert links.calls.count("remove_item") == 2

    def test_one_whose_bank_is_gone_is_given_up_by_itself(self, links, linked):
        with acting_as(SYSTEM):
            banks = AchRelationship.objects.filter(pk=linked.relationship_id)
            banks.update(vendor_status="CANCELED")
        pass_time(SIX_HOURS)

        items.refresh_items(at=now())
        linking.sweep_links(at=now())

        assert reread(linked).state == "REMOVED"


class TestRefreshing:
    def test_asks_once_in_six_hours(self, links, linked):
        before = len(links.calls)
        items.refresh_items(at=now())
        assert len(links.calls) == before

        pass_time(SIX_HOURS)
        items.refresh_items(at=now())
        items.refresh_items(at=now())

        assert links.calls[before:] == ["read_item"]
        assert told(linked) == []

    def test_asks_at_once_after_news(self, links, linked):
        links.only_item().error_code = "ITEM_LOGIN_REQUIRED"
        with acting_as(SYSTEM):
            items.nudge(item_ids={links.only_item().item_id, "item-nobody-knows"})

        items.refresh_items(at=now())

        assert (reread(linked).state, reread(linked).error_code) == (
            "LOGIN_REQUIRED",
            "ITEM_LOGIN_REQUIRED",
        )
        assert told(linked) == ["bank.login_required"]

    def test_the_customer_is_told_once_and_when_it_works_again(self, links, linked):
        for error in ("ITEM_LOGIN_REQUIRED", "ITEM_LOGIN_REQUIRED", "", ""):
            links.only_item().error_code = error
            pass_time(SIX_HOURS)
            items.refresh_items(at=now())

        assert told(linked) == ["bank.login_required", "bank.login_repaired"]
        assert reread(linked).state == "LIVE"

    @pytest.mark.parametrize("error", ["USER_PERMISSION_REVOKED", "A_WORD_OF_NEXT_YEAR"])
    def test_all_other_errors_are_kept_in_plaids_words(self, links, linked, error):
        links.only_item().error_code = error
        pass_time(SIX_HOURS)

        items.refresh_items(at=now())

        assert (reread(linked).state, reread(linked).error_code) == ("BROKEN", error)
        assert told(linked) == ["bank.login_broken"]

    @pytest.mark.parametrize("code", ["ITEM_NOT_FOUND", "USER_PERMISSION_REVOKED"])
    def test_one_that_plaid_knows_no_more_is_broken(self, links, linked, code):
        links.reading_fails = VendorRejected("fake", "no", vendor_code=code)
        pass_time(SIX_HOURS)

        items.refresh_items(at=now())

        assert (reread(linked).state, reread(linked).error_code) == ("BROKEN", code)

    def test_a_no_that_is_not_about_it_breaks_nothing(self, links, linked):
        links.reading_fails = VendorRejected("fake", "no", vendor_code="INVALID_FIELD")
        pass_time(SIX_HOURS)

        items.refresh_items(at=now())

        assert (reread(linked).state, told(linked)) == ("LIVE", [])

    def test_plaid_being_away_says_nothing_about_an_item(self, links, linked):
        links.reading_fails = FAILURES[0]
        pass_time(SIX_HOURS)

        items.refresh_items(at=now())

        assert (reread(linked).state, told(linked)) == ("LIVE", [])


class TestUpdateMode:
    @pytest.fixture
    def broken(self, links, linked):
        links.only_item().error_code = "ITEM_LOGIN_REQUIRED"
        pass_time(SIX_HOURS)
        items.refresh_items(at=now())
        return linked

    def test_mends_the_same_item_and_links_no_other_bank(self, links, funds, broken):
        opened = open_update_page(broken)
        assert links.made[-1].access_token == reread(broken).access_token()
        links.finish(opened.token)
        pass_time(6)

        linking.sweep_links(at=now())

        assert reread(broken).state == "LIVE"
        assert told(broken) == ["bank.login_required", "bank.login_repaired"]
        assert len(funds.bank_accounts) == len(links.items) == 1

    def test_of_a_foreign_bank_is_not_found(self, links, broken):
        made = len(links.made)

        with pytest.raises(NotFound):
            open_update_page(broken, by=customer())

        assert len(links.made) == made

    def test_of_a_bank_linked_by_numbers_is_refused(self, links, funds):
        bank = make_bank()

        with pytest.raises(pages.NotSignedIn):
            pages.create_link(
                principal=customer(bank.user_id),
                account_id=bank.account_id,
                redirect_uri=REDIRECT,
                relationship_id=str(bank.pk),
            )

        assert links.calls == []
