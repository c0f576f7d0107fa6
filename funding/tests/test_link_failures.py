"""Whatever is refused, gets lost or dies on the way to a bank: a truthful end."""

from datetime import timedelta

import pytest

from accounts.tests.factories import customer, make_account, now
from core.errors import VendorRejected
from core.tests.parcels import pass_time
from funding.gateways import RELATIONSHIP_EXISTS
from funding.services import linking, relationships
from funding.tests.factories import BANK
from funding.tests.signing_in import (
    AWAY,
    UNCLEAR,
    Killed,
    banks_of,
    bring,
    items_of,
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


class TestTheBrokersNo:
    def test_ends_the_sign_in_with_its_reason_and_removes_the_item(self, links, funds, account):
        funds.fails_before = VendorRejected("fake", "this bank is not served")

        with pytest.raises(linking.SignInFailed, match="this bank is not served"):
            bring(account, links.sign_in())

        sweep()
        assert links.only_item().is_gone
        assert [item.state for item in items_of(account)] == ["REMOVED"]
        assert items_of(account)[0].sealed_access_token is None

    def test_a_second_bank_is_named_as_such(self, links, funds, account):
        funds.fails_before = VendorRejected("fake", "one", vendor_code=RELATIONSHIP_EXISTS)

        with pytest.raises(relationships.RelationshipExists):
            bring(account, links.sign_in())

    def test_a_bank_linked_by_numbers_meanwhile_stays_the_only_one(self, links, funds, account):
        opened = page(account)
        relationships.link_bank(
            principal=customer(account.user_id),
            account_id=account.pk,
            bank=BANK,
            request=None,
            at=now(),
        )
        links.finish(opened.token)

        sweep(2)

        ended = session_of(account)
        assert (ended.state, ended.reason_code) == ("FAILED", "relationship_exists")
        assert len(funds.bank_accounts) == 1
        assert "exchange" not in links.calls

    def test_an_unclear_answer_is_looked_up_and_never_sent_again(self, links, funds, account):
        funds.fails_after = UNCLEAR

        session = bring(account, links.sign_in())

        assert (session.state, session.relationship.state) == ("EXCHANGED", "UNKNOWN")
        sweep(4, after=15)
        assert session_of(account).state == "LINKED"
        assert len(funds.bank_accounts) == 1


class TestLostAnswers:
    def test_an_exchange_that_got_lost_is_not_repeated(self, links, account):
        links.fails_after["exchange"] = UNCLEAR

        with pytest.raises(linking.SignInFailed, match="link the bank again"):
            bring(account, links.sign_in())

        sweep(3, after=40)
        assert links.calls.count("exchange") == 1
        assert session_of(account).state == "FAILED"
        assert session_of(account).sealed_public_token is None

    def test_an_exchange_that_never_arrived_is_tried_again(self, links, account):
        links.fails_before["exchange"] = AWAY

        session = bring(account, links.sign_in())
        assert (session.state, session.relationship) == ("OPEN", None)

        sweep(2)
        assert session_of(account).state == "LINKED"

    def test_a_token_that_could_not_be_exchanged_in_time_is_given_up(self, links, account):
        links.fails_before["exchange"] = AWAY
        bring(account, links.sign_in())

        pass_time(10)
        linking.sweep_links(at=now() + timedelta(minutes=40))

        assert session_of(account).state == "FAILED"
        assert links.calls.count("exchange") == 1

    @pytest.mark.parametrize("method", ["read_item", "list_accounts", "make_processor_token"])
    def test_what_cannot_be_read_is_read_later(self, links, account, method):
        links.fails_before[method] = AWAY

        assert bring(account, links.sign_in()).state == "EXCHANGED"

        sweep(2)
        assert session_of(account).state == "LINKED"
        assert links.calls.count("exchange") == 1


KILLS = [
    ("fails_before", "read_progress"),
    ("fails_before", "exchange"),
    ("fails_after", "exchange"),
    ("fails_before", "read_item"),
    ("fails_before", "list_accounts"),
    ("fails_before", "make_processor_token"),
    ("fails_after", "make_processor_token"),
]


class TestKills:
    @pytest.mark.parametrize(("when", "method"), KILLS)
    def test_a_process_that_dies_anywhere_leaves_one_bank_or_a_truthful_end(
        self, links, funds, account, when, method
    ):
        opened = page(account)
        links.finish(opened.token)
        pass_time(6)
        getattr(links, when)[method] = Killed()
        with pytest.raises(Killed):
            linking.sweep_links(at=now())

        sweep(3, after=35)

        ended = session_of(account)
        assert links.calls.count("exchange") == 1
        if method == "exchange":
            assert (ended.state, ended.reason_code) == ("FAILED", "lost")
            assert items_of(account) == banks_of(account) == []
        else:
            assert ended.state == "LINKED"
            assert len(items_of(account)) == len(funds.bank_accounts) == 1

    @pytest.mark.parametrize("when", ["fails_before", "fails_after"])
    def test_one_that_dies_at_the_broker_links_once(self, links, funds, account, when):
        setattr(funds, when, Killed())
        with pytest.raises(Killed):
            bring(account, links.sign_in())

        sweep(6, after=35)

        (bank,) = banks_of(account)
        assert len(funds.bank_accounts) == 1
        expected = (
            ("LINKED", "ACCEPTED") if when == "fails_after" else ("EXCHANGED", "NEEDS_REVIEW")
        )
        assert (session_of(account).state, bank.state) == expected

    def test_a_late_answer_to_a_lost_exchange_is_removed_again(self, links, account):
        opened = page(account)
        token = links.finish(opened.token)
        real = links.exchange

        def slow(public_token):
            login = real(public_token)
            sweep(1, after=40)  # somebody else has found it abandoned meanwhile
            return login

        links.exchange = slow
        pass_time(6)
        linking.sweep_links(at=now())
        sweep(2)

        assert session_of(account).state == "FAILED"
        assert [item.state for item in items_of(account)] == ["REMOVED"]
        assert links.only_item().is_gone
        assert token not in str(session_of(account).__dict__)
