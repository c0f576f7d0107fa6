"""The value over HTTP and for agents: the same record as on the socket."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from core.errors import NotFound, VendorUnavailable
from funding.tests.factories import make_bank, make_transfer
from market.tests.factories import snapshot
from portfolio import selectors
from tests.live.factories import OWNER, signed_in
from trading.tests import factories as trading

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]
CHANGING = ("timestamp", "as_of")


@pytest.fixture
def owner():
    return trading.customer(OWNER)


@pytest.fixture
def client(owner):
    client = APIClient()
    client.force_authenticate(owner)
    return client


class TestValue:
    def test_is_the_record_that_the_socket_sends(self, client, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            told = socket.next(kind="snapshot")

        answer = client.get("/api/portfolio/value", {"accountId": str(account.pk)})

        assert answer.status_code == 200
        assert b'"raw_value":1300.00,"raw_return":3.00,"raw_return_percent":0.23' in answer.content
        record = answer.json(parse_float=Decimal)
        assert {k: v for k, v in record.items() if k not in CHANGING} == {
            k: v for k, v in told.items() if k not in CHANGING
        }

    def test_is_valued_at_the_vendors_answer_when_nobody_publishes(self, client, account):
        answer = client.get("/api/portfolio/value", {"accountId": account.broker_account_id})

        record = answer.json()
        assert record["account_id"] == account.broker_account_id
        assert (record["total_value"], record["today_return"]) == ("$1300.00", "+$3.00 (0.23%)")
        assert (record["stale"], record["unpriced"]) == (True, [])

    def test_names_what_nobody_can_price(self, client, account, vendors):
        vendors.data.error = VendorUnavailable("data", "away")

        record = client.get("/api/portfolio/value", {"accountId": str(account.pk)}).json()

        assert (record["raw_value"], record["unpriced"]) == (1000.0, ["AAPL"])
        assert record["positions"][0]["price"] is None

    def test_somebody_elses_account_does_not_exist(self, account):
        other = APIClient()
        other.force_authenticate(trading.customer("mallory"))

        for account_id in (account.pk, account.broker_account_id, "x"):
            answer = other.get("/api/portfolio/value", {"accountId": str(account_id)})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_says_which_field_is_missing(self, client):
        answer = client.get("/api/portfolio/value")

        assert answer.status_code == 400
        assert list(answer.json()["field_errors"]) == ["accountId"]

    def test_nobody_is_refused(self, account):
        answer = APIClient().get("/api/portfolio/value", {"accountId": str(account.pk)})

        assert answer.status_code == 401


class TestSummary:
    def test_describes_the_only_account_in_text(self, owner, account, vendors):
        at = datetime.now(UTC)
        trading.fund(account, positions={"MSFT": "2"})
        vendors.data.found["MSFT"] = snapshot("MSFT", "350", at=at, close="349")

        summary = selectors.get_summary(principal=owner, at=at)

        positions = summary.pop("positions")
        as_of = summary.pop("as_of")
        assert summary == {
            "value": "2000.00",
            "cash": "1000.00",
            "day_return": "5.00",
            "day_return_percent": "0.25",
            "currency": "USD",
            "is_stale": True,
            "unpriced": [],
        }
        assert as_of is None
        assert [(p["symbol"], p["market_value"], p["weight_percent"]) for p in positions] == [
            ("AAPL", "300.00", "15.00"),
            ("MSFT", "700.00", "35.00"),
        ]

    def test_without_an_account_there_is_nothing(self, vendors):
        with pytest.raises(NotFound):
            selectors.get_summary(principal=trading.customer("new"), at=datetime.now(UTC))

    def test_an_account_never_read_has_no_figures(self, owner, vendors):
        trading.new_account(OWNER)

        summary = selectors.get_summary(principal=owner, at=datetime.now(UTC))

        assert (summary["value"], summary["cash"], summary["positions"]) == (None, None, [])


class TestBeyondAllMoney:
    def test_nothing_fails_and_others_are_told_as_ever(
        self, port, account, token, publisher, issuer
    ):
        absurd = trading.new_account("absurd-sub")
        trading.fund(absurd, cash="5.00", positions={"AAPL": "9950000000000"})
        publisher.trade("AAPL", "101")
        theirs = issuer.token(sub="absurd-sub")
        with (
            signed_in(port, account.pk, token) as socket,
            signed_in(port, absurd.pk, theirs) as odd,
        ):
            told = odd.next(kind="snapshot")
            assert socket.next(kind="snapshot")["total_value"] == "$1303.00"
            publisher.trade("AAPL", "102")
            assert socket.next(kind="update")["total_value"] == "$1306.00"

        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {theirs}")
        polled = client.get("/api/portfolio/value", {"accountId": str(absurd.pk)})
        assert polled.status_code == 200
        for record in (told, polled.json()):
            assert (record["total_value"], record["raw_value"]) == (None, None)
            assert record["positions"][0]["market_value"] is None


class TestFundingStatus:
    def test_says_what_came_in_and_what_it_is_worth(self, client, account):
        bank = make_bank(account)
        make_transfer(bank, amount="600.00")
        make_transfer(bank, amount="50.00", status="QUEUED")

        answer = client.get(f"/api/account/{account.pk}/funding-status")

        assert answer.status_code == 200
        told = answer.json(parse_float=Decimal)
        assert (told["is_funded"], told["total_funded_amount"]) == (True, Decimal("600.00"))
        assert (told["cash_balance"], told["portfolio_value"]) == (Decimal(1000), Decimal(1300))
        assert (told["completed_transfers_count"], told["pending_deposits"]) == (1, Decimal(50))
        [(bank_id, source)] = told["funding_sources"].items()
        assert (bank_id, source["total"], source["count"]) == (bank.public_id, "600.00", 1)
        assert [t["status"] for t in told["recent_transfers"]] == ["QUEUED", "COMPLETE"]

    def test_an_account_without_money_is_not_funded(self, client, owner):
        account = trading.new_account("nobody-yet")
        client.force_authenticate(trading.customer("nobody-yet"))

        told = client.get(f"/api/account/{account.pk}/funding-status").json()

        assert (told["is_funded"], told["cash_balance"], told["portfolio_value"]) == (
            False,
            None,
            None,
        )
        assert (told["funding_sources"], told["recent_transfers"]) == ({}, [])
