from datetime import timedelta
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import customer, make_account, service
from core.auth import acting_as
from core.ids import new_id
from ledger import selectors
from ledger.states import EntryKind
from ledger.tests.factories import NOW, hold, movement, open_ledger, post

pytestmark = pytest.mark.django_db
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def account(db):
    return make_account("ada")


def client_of(principal):
    client = APIClient()
    client.force_authenticate(user=principal)
    return client


@pytest.fixture
def ada(account):
    return client_of(customer("ada"))


def path(account, what):
    return f"/api/account/{account.pk}/{what}"


class TestCash:
    def test_is_answered_in_exact_text(self, ada, account):
        open_ledger(account, "100.10")
        hold(account, new_id(), "30.00")

        answer = ada.get(path(account, "cash"))

        assert answer.status_code == 200
        assert answer.json() == {
            "total": "100.10",
            "held": "30.00",
            "available": "70.10",
            "currency": "USD",
            "as_of": NOW.isoformat().replace("+00:00", "Z"),
            "is_complete": True,
        }

    def test_of_a_ledger_that_was_never_compared_says_so(self, ada, account):
        answer = ada.get(path(account, "cash")).json()

        assert (answer["total"], answer["as_of"], answer["is_complete"]) == ("0.00", None, False)

    def test_the_brokers_id_is_as_good(self, ada, account):
        assert ada.get(f"/api/account/{account.broker_account_id}/cash").status_code == 200


class TestLedger:
    def test_lists_what_moved_cash_newest_first_with_its_sign(self, ada, account):
        post(movement(account, "DEPOSIT", "100.00", occurred_at=NOW - timedelta(days=2)))
        order = new_id()
        post(
            movement(
                account,
                "PURCHASE",
                "-25.50",
                "EXECUTION",
                symbol="AAPL",
                reference=order,
                natural_key="fill:x:1",
            )
        )
        hold(account, new_id(), "5.00")

        answer = ada.get(path(account, "ledger")).json()

        assert [
            (entry["kind"], entry["amount"], entry["symbol"], entry["reference"])
            for entry in answer["entries"]
        ] == [("PURCHASE", "-25.50", "AAPL", str(order)), ("DEPOSIT", "100.00", None, None)]
        assert answer["next"] is None

    def test_pages_follow_each_other_without_gap_or_repeat(self, ada, account):
        for cents in range(1, 8):
            at = NOW - timedelta(seconds=cents // 2)  # some at the same moment
            post(movement(account, "INTEREST", f"0.0{cents}", occurred_at=at))
        seen, url = [], path(account, "ledger") + "?limit=2"
        while url:
            page = ada.get(url).json()
            seen += [entry["amount"] for entry in page["entries"]]
            before = page["next"]
            url = before and path(account, "ledger") + f"?limit=2&before={before}"

        assert sorted(seen) == [f"0.0{cents}" for cents in range(1, 8)]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=many", "limit"),
            ("before=yesterday", "before"),
            (f"before={NOBODYS}", "before"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, ada, account, query, field):
        answer = ada.get(path(account, f"ledger?{query}"))

        assert 400 <= answer.status_code < 500
        assert field in answer.content.decode()

    def test_the_place_in_anothers_ledger_is_none(self, ada, account):
        foreign = post(movement(make_account("bob"), "DEPOSIT", "1.00"))

        assert ada.get(path(account, f"ledger?before={foreign.pk}")).status_code in {400, 422}


class TestWhoSees:
    @pytest.mark.parametrize("what", ["cash", "ledger"])
    def test_another_customer_finds_nothing(self, account, what):
        open_ledger(account, "100.00")

        answer = client_of(customer("bob")).get(path(account, what))

        assert answer.status_code == 404
        assert "100.00" not in answer.content.decode()

    @pytest.mark.parametrize("what", ["cash", "ledger"])
    def test_a_key_needs_the_scope(self, account, what):
        assert client_of(service("accounts:read")).get(path(account, what)).status_code == 403
        allowed = service("funding:read", "act_for")
        assert client_of(allowed).get(path(account, what)).status_code == 200


class TestFlows:
    def test_are_what_came_from_outside_or_left(self, account):
        days = {"DEPOSIT": "100.00", "WITHDRAWAL": "-30.00", "JOURNAL": "5.00"}
        for age, (kind, cash) in enumerate(days.items()):
            post(movement(account, kind, cash, occurred_at=NOW - timedelta(days=9 - age)))
        post(movement(account, "DIVIDEND", "7.00"))
        post(movement(account, "PURCHASE", "-50.00", natural_key="fill:x:1"))

        with acting_as(customer("ada")):
            flows = selectors.list_flows(account_id=account.pk)
            late = selectors.list_flows(account_id=account.pk, since=NOW - timedelta(days=8))
            put_in = selectors.put_in(account_id=account.pk)
        with acting_as(customer("bob")):
            foreign = selectors.list_flows(account_id=account.pk)

        assert [flow.amount for flow in flows] == [100, -30, 5]
        assert [flow.amount for flow in late] == [5]
        assert put_in == Decimal("75.00")
        assert foreign == []

    def test_kinds_can_be_chosen(self, account):
        hold(account, new_id(), "5.00")
        page = selectors.list_entries(
            principal=customer("ada"), account_id=account.pk, limit=5, kinds=[EntryKind.HOLD]
        )

        assert [entry.kind for entry in page.entries] == ["HOLD"]
