"""How sign-ins end that meet another one, a bank that is gone, or an account that is stopped."""

from datetime import timedelta

import pytest
from django.db import connection

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected
from core.ids import new_id
from core.intents.states import IntentState
from funding.gateways import RELATIONSHIP_EXISTS, Page
from funding.models import AchRelationship, LinkSession
from funding.services import items, linking
from funding.services import links as pages
from funding.tests.factories import make_bank
from funding.tests.signing_in import (
    REDIRECT,
    banks_of,
    bring,
    items_of,
    kinds_of,
    page,
    session_of,
    sweep,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendors(funds):
    return funds


@pytest.fixture
def account():
    return make_account()


def finish(account, opened):
    return linking.finish(
        principal=customer(account.user_id),
        account_id=account.pk,
        session_id=opened.session_id,
        at=now(),
    )


def change(account, **columns):
    with acting_as(SYSTEM):
        type(account)._base_manager.filter(pk=account.pk).update(**columns)


class TestAPageWhoseTokenTheBrowserHasBrought:
    def test_leads_to_the_same_bank(self, links, account):
        opened = page(account)
        first = bring(account, links.finish(opened.token))

        ended = finish(account, opened)

        assert ended.pk == opened.session_id != first.pk
        assert (ended.state, ended.relationship_id) == ("LINKED", first.relationship_id)
        assert kinds_of(account).count("bank.sign_in_ended") == 2
        assert links.calls.count("exchange") == len(banks_of(account)) == 1

    def test_waits_for_it_as_long_as_that_is_not_certain(self, links, account):
        links.fails_before["make_processor_token"] = VendorRejected("fake", "no", vendor_code="X")
        opened = page(account)
        token = links.finish(opened.token)
        with acting_as(SYSTEM):
            LinkSession.bring(account, pk=new_id(), public_token=token, plaid_account_id="")

        with pytest.raises(linking.SignInUnfinished):
            finish(account, opened)
        with pytest.raises(linking.SignInFailed):
            bring(account, token)
        sweep(1, after=31)

        assert {session.state for session in sessions_of(account)} == {"FAILED"}
        assert {session.reason_code for session in sessions_of(account)} == {"refused"}

    def test_ends_by_itself_when_another_account_has_it(self, links, account):
        opened = page(account)
        bring(make_account(), links.finish(opened.token))

        sweep()

        assert (session_of(account).state, banks_of(account)) == ("EXPIRED", [])


def sessions_of(account):
    with acting_as(SYSTEM):
        return list(LinkSession.objects.filter(account_id=account.pk))


class TestABankUnderReview:
    @pytest.fixture
    def reviewed(self, links, account):
        """A sign-in whose bank the broker may or may not have."""
        session = bring(account, links.sign_in())
        with acting_as(SYSTEM):
            LinkSession.objects.filter(pk=session.pk).update(state="EXCHANGED", settled_at=None)
            AchRelationship.objects.filter(pk=session.relationship_id).update(
                state=IntentState.NEEDS_REVIEW, vendor_status="", broker_relationship_id=""
            )
        return session

    def test_does_not_stand_in_the_way_of_the_same_bank(self, links, funds, account, reviewed):
        funds.banks.clear()

        assert bring(account, links.sign_in()).state == "LINKED"

    def test_is_looked_for_when_the_broker_says_it_has_one(self, links, funds, account, reviewed):
        funds.fails_before = VendorRejected("fake", "no", vendor_code=RELATIONSHIP_EXISTS)

        with pytest.raises(linking.RelationshipExists):
            bring(account, links.sign_in())

        with acting_as(SYSTEM):
            due = AchRelationship.objects.filter(state=IntentState.NEEDS_REVIEW)
            assert due.get().due_at <= connection_now()


def connection_now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clera_now()")
        return cursor.fetchone()[0]


class TestRenewing:
    @pytest.fixture
    def linked(self, links, account):
        return bring(account, links.sign_in())

    def renew(self, linked):
        return pages.create_link(
            principal=customer(linked.user_id),
            account_id=linked.account_id,
            redirect_uri=REDIRECT,
            relationship_id=str(linked.relationship_id),
        )

    def test_a_bank_that_is_gone_meanwhile_is_over_at_once(self, links, account, linked):
        opened = self.renew(linked)
        items.give_up(item_id=linked.item_id, at=now())

        with pytest.raises(linking.SignInFailed, match="given up"):
            finish(account, opened)

    def test_a_bank_that_is_gone_is_refused_in_true_words(self, links, linked):
        items.give_up(item_id=linked.item_id, at=now())

        with pytest.raises(pages.NotSignedIn, match="no sign-in at Plaid"):
            self.renew(linked)


class TestAnAccountThatWasStopped:
    @pytest.mark.parametrize(
        ("columns", "code"),
        [
            ({"frozen_at": now()}, "account_frozen"),
            ({"vendor_status": "ACCOUNT_CLOSED"}, "account_not_active"),
        ],
    )
    def test_while_its_page_was_open_exchanges_nothing(self, links, account, columns, code):
        opened = page(account)
        links.finish(opened.token)
        change(account, **columns)

        with pytest.raises(linking.SignInFailed) as refusal:
            finish(account, opened)

        assert refusal.value.extra == {"reason_code": code}
        assert "exchange" not in links.calls
        assert items_of(account) == []


class TestWhatPlaidDoesNotTell:
    def test_a_page_without_an_end_ends_all_the_same(self, links, account, monkeypatch):
        def without_end(wanted):
            made = create(wanted)
            return Page(made.token, made.url, None)

        create = links.create_page
        monkeypatch.setattr(links, "create_page", without_end)

        opened = page(account)

        left = opened.expires_at - connection_now()
        assert timedelta(hours=3) < left <= timedelta(hours=4)

    def test_a_page_it_refuses_to_show_ends_in_its_time(self, links, account):
        page(account)
        with acting_as(SYSTEM):
            LinkSession.objects.update(expires_at=now() - timedelta(seconds=1))
        links.reading_fails = VendorRejected("fake", "no", vendor_code="INVALID_FIELD")

        sweep()

        assert session_of(account).state == "EXPIRED"

    def test_accounts_without_digits_are_not_taken_for_the_same(self, links, account):
        nameless = {"accounts": (("checking", ""),)}
        bring(account, links.sign_in(**nameless))
        change(account, vendor_status="ACCOUNT_CLOSED")

        assert bring(make_account(account.user_id), links.sign_in(**nameless)).state == "LINKED"


class TestARefusalOfASecondBank:
    def test_names_the_first_one(self, links):
        bank = make_bank()
        who = {"principal": customer(bank.user_id), "account_id": bank.account_id}

        with pytest.raises(linking.RelationshipExists) as of_page:
            pages.create_link(**who, redirect_uri=REDIRECT)
        with pytest.raises(linking.RelationshipExists) as of_token:
            linking.process_token(
                **who, public_token=links.sign_in(), plaid_account_id="", request=None, at=now()
            )

        assert of_page.value.extra == of_token.value.extra == {"relationship_id": bank.public_id}
        assert links.calls == []


class TestAnItem:
    def test_whose_bank_is_made_while_we_look_is_needed(self, links, account):
        """Between two looks, a sign-in under way may have become a bank."""
        session = bring(account, links.sign_in())
        (item,) = items_of(account)
        with acting_as(SYSTEM):
            AchRelationship.objects.update(vendor_status="CANCELED")
            LinkSession.objects.update(state="EXCHANGED")
        looked = []

        def meanwhile(execute, *query):
            found = execute(*query)
            if not looked:
                looked.append(query)
                AchRelationship.objects.update(vendor_status="QUEUED")
                LinkSession.objects.update(state="LINKED")
            return found

        with acting_as(SYSTEM), connection.execute_wrapper(meanwhile):
            assert item.is_needed()

        assert session.state == "LINKED"
