"""Whoever brings the news of a sign-in: one bank, one item."""

from datetime import timedelta

import pytest

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import Invalid, NotFound
from core.tests.parcels import pass_time
from funding.gateways import ProcessorToken
from funding.models import AchRelationship, LinkSession, PlaidItem
from funding.services import linking, relationships, rules
from funding.tests.factories import make_bank
from funding.tests.signing_in import (
    AWAY,
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


class TestAPage:
    def test_is_made_for_the_account_and_leads_back_to_the_redirect(self, links, account):
        opened = page(account, email="ada@example.com")

        (wanted,) = links.made
        assert (wanted.customer, wanted.redirect_uri) == (str(account.pk), REDIRECT)
        kept = session_of(account)
        assert (kept.pk, kept.state, kept.purpose) == (opened.session_id, "OPEN", "NEW")
        assert kept.link_token() == opened.token
        assert opened.token not in str(kept.__dict__)

    @pytest.mark.parametrize("status", ["SUBMITTED", "ACCOUNT_CLOSED", "REJECTED"])
    def test_is_not_made_for_an_account_that_is_not_active(self, links, status):
        with pytest.raises(rules.AccountNotActive):
            page(make_account(status=status))

        assert links.calls == []

    def test_is_not_made_when_there_is_a_bank_already(self, links, account):
        make_bank(account)

        with pytest.raises(relationships.RelationshipExists):
            page(account)

        assert links.calls == []

    def test_that_nobody_finishes_is_asked_about_less_and_less_and_runs_out(self, links, account):
        page(account)

        for _ in range(40):
            sweep(after=300)

        assert links.calls.count("read_progress") < 45
        linking.sweep_links(at=now() + timedelta(hours=5))
        pass_time(600)
        linking.sweep_links(at=now() + timedelta(hours=5))
        kept = session_of(account)
        assert (kept.state, kept.sealed_link_token) == ("EXPIRED", None)

    def test_that_is_asked_about_while_plaid_is_away_stays_open(self, links, account):
        opened = page(account)
        links.reading_fails = AWAY
        sweep()
        assert session_of(account).state == "OPEN"

        links.reading_fails = None
        links.finish(opened.token)
        sweep(2)

        assert session_of(account).state == "LINKED"


class TestOneEffect:
    def test_the_poll_links_the_bank_when_no_webhook_comes(self, links, funds, account):
        opened = page(account)
        links.finish(opened.token)

        sweep(2)

        (bank,) = banks_of(account)
        (item,) = items_of(account)
        assert session_of(account).state == "LINKED"
        assert (bank.state, bank.linked_by, bank.item_id) == ("ACCEPTED", "PLAID", item.pk)
        assert (bank.number_last4, bank.account_type) == ("0000", "CHECKING")
        assert (bank.bank_name, bank.number_index) == ("First Platypus", "")
        assert item.state == "LIVE"
        assert funds.bank_accounts == [ProcessorToken(f"processor-{bank.plaid_account_id}")]
        assert kinds_of(account).count("bank.sign_in_ended") == 1

    def test_the_browser_links_it_at_once(self, links, account):
        session = bring(account, links.sign_in())

        assert (session.state, session.relationship.is_usable) == ("LINKED", True)
        assert session.relationship.pk == session.pk

    def test_the_customer_who_returns_need_not_wait_for_the_poll(self, links, account):
        opened = page(account)
        who = {"principal": customer(account.user_id), "account_id": account.pk}
        with pytest.raises(linking.SignInUnfinished):
            linking.finish(**who, session_id=opened.session_id, at=now())
        links.finish(opened.token)
        pass_time(31)

        session = linking.finish(**who, session_id=opened.session_id, at=now())

        assert session.state == "LINKED"
        with pytest.raises(NotFound):
            linking.finish(
                principal=customer(), account_id=account.pk, session_id=session.pk, at=now()
            )

    def test_all_three_together_exchange_once(self, links, funds, account):
        opened = page(account)
        token = links.finish(opened.token)

        first = bring(account, token)
        sweep(3)
        again = bring(account, token)

        assert again.pk == first.pk
        assert links.calls.count("exchange") == 1
        assert len(funds.bank_accounts) == len(items_of(account)) == 1
        with acting_as(SYSTEM):
            ends = list(LinkSession.objects.filter(account_id=account.pk).values_list("state"))
        assert ends == [("LINKED",), ("LINKED",)]

    def test_the_token_of_another_customer_is_worth_nothing(self, links, account):
        token = links.sign_in()
        bring(account, token)

        with pytest.raises(Invalid):
            bring(make_account(), token)

        assert links.calls.count("exchange") == 1

    def test_the_account_that_is_named_is_the_one_that_is_linked(self, links, account):
        token = links.sign_in()
        savings = links.only_item().accounts[1]

        session = bring(account, token, plaid_account_id=savings.id)

        assert session.relationship.account_type == "SAVINGS"
        assert session.relationship.plaid_account_id == savings.id

    def test_an_account_that_is_not_behind_the_sign_in_links_nothing(self, links, account):
        with pytest.raises(linking.SignInFailed) as refusal:
            bring(account, links.sign_in(), plaid_account_id="somebody-elses")

        assert refusal.value.extra == {"reason_code": "no_account"}
        sweep()
        assert links.only_item().is_gone
        assert banks_of(account) == []

    def test_a_card_cannot_be_linked(self, links, account):
        with pytest.raises(linking.SignInFailed):
            bring(account, links.sign_in(accounts=(("credit card", "3333"),)))

    def test_an_account_that_closed_meanwhile_exchanges_nothing(self, links):
        closed = make_account(status="ACCOUNT_CLOSED")

        with pytest.raises(rules.AccountNotActive):
            bring(closed, links.sign_in())

        assert "exchange" not in links.calls

    def test_what_plaid_does_not_know_is_refused_in_words(self, links, account):
        with pytest.raises(linking.SignInFailed) as refusal:
            bring(account, "public-invented")

        assert refusal.value.extra == {"reason_code": "refused"}
        assert "public-invented" not in refusal.value.detail


class TestDuplicates:
    @pytest.fixture
    def linked(self, links, account):
        """A bank that the customer has linked to an account that is closed by now."""
        session = bring(account, links.sign_in())
        with acting_as(SYSTEM):
            closed = type(account).objects.filter(pk=account.pk)
            closed.update(vendor_status="ACCOUNT_CLOSED")
        return session

    @pytest.fixture
    def second(self, linked, account):
        return make_account(account.user_id)

    def test_are_noticed_before_the_exchange_when_the_page_says_so(self, links, linked, second):
        opened = page(second)
        links.finish(opened.token)

        sweep(2)

        ended = session_of(second)
        assert (ended.state, ended.relationship_id) == ("DUPLICATE", linked.relationship_id)
        assert links.calls.count("exchange") == 1

    def test_are_removed_at_plaid_again_when_only_the_exchange_tells(self, links, linked, second):
        with pytest.raises(linking.DuplicateItem) as refusal:
            bring(second, links.sign_in())

        assert refusal.value.extra == {"relationship_id": linked.relationship.public_id}
        sweep()
        assert [item.state for item in items_of(second)] == ["REMOVED"]
        assert [item.is_gone for item in links.items.values()] == [False, True]
        assert banks_of(second) == []

    @pytest.mark.parametrize(
        "other",
        [
            {"institution_id": "ins_56"},
            {"accounts": (("checking", "4321"),)},
        ],
    )
    def test_another_bank_or_another_account_is_none(self, links, linked, second, other):
        assert bring(second, links.sign_in(**other)).state == "LINKED"

    def test_the_same_bank_of_another_customer_is_none(self, links, linked):
        assert bring(make_account(), links.sign_in()).state == "LINKED"

    def test_a_sign_in_whose_bank_is_gone_stands_in_nobodys_way(self, links, linked, second):
        with acting_as(SYSTEM):
            banks = AchRelationship.objects.filter(pk=linked.relationship_id)
            banks.update(vendor_status="CANCELED")

        assert bring(second, links.sign_in()).state == "LINKED"

    def test_of_two_that_are_under_way_one_stays(self, links, account):
        pages = [page(account), page(account)]
        for opened in pages:
            links.finish(opened.token)
        links.fails_before["read_item"] = AWAY
        pass_time(6)
        linking.sweep_links(at=now())

        sweep(3)

        with acting_as(SYSTEM):
            found = LinkSession.objects.filter(account_id=account.pk).values_list("state")
            assert sorted(found) == [("DUPLICATE",), ("LINKED",)]
        assert len([item for item in items_of(account) if item.state == "LIVE"]) == 1

    def test_what_was_given_up_does_not_stand_in_the_way(self, links, linked, second):
        with acting_as(SYSTEM):
            PlaidItem.objects.filter(pk=linked.item_id).update(state="REMOVING")

        assert bring(second, links.sign_in()).state == "LINKED"
