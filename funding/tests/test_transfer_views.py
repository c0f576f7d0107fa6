"""What both shapes of asking for a transfer, and of showing one, look like over HTTP."""

from decimal import Decimal

import pytest

from accounts.tests.factories import customer, make_account, service
from funding.tests.factories import make_bank
from funding.tests.moving import case_of, count_of, move, refresh, tell

TRANSFER = "/initiate-ach-transfer"

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(funds):
    return make_bank(make_account("ada"))


def ids(bank):
    return (
        f'"accountId": "{bank.account.broker_account_id}",'
        f' "relationshipId": "{bank.broker_relationship_id}"'
    )


def url(bank, transfer_id=""):
    path = f"/api/account/{bank.account.broker_account_id}/transfers"
    return f"{path}/{transfer_id}" if transfer_id else path


class TestAsking:
    @pytest.mark.parametrize(
        ("rest", "direction"),
        [
            ('"amount": 100.00, "direction": "INCOMING"', "INCOMING"),
            ('"amount": 100.00, "direction": "OUTGOING"', "OUTGOING"),
            ('"amount": "100.00"', "INCOMING"),
            ('"amount": "100", "email": "ada@example.com", "timing": "immediate"', "INCOMING"),
        ],
        ids=["reference in", "reference out", "original", "original with more"],
    )
    def test_both_shapes_move_the_same_money(self, api, funds, bank, rest, direction):
        body = f"{{{ids(bank)}, {rest}}}"

        answer = api(customer("ada")).post(TRANSFER, body, content_type="application/json")

        assert answer.status_code == 201
        assert set(answer.json()) == {"id", "status", "amount", "created_at"}
        assert '"amount":100.00,' in answer.content.decode()
        [payment] = funds.payments
        assert (payment.amount, payment.direction) == (Decimal("100.00"), direction)

    @pytest.mark.parametrize("direction", ["incoming", "", "BOTH", None, 1])
    def test_a_direction_that_is_none_is_named(self, api, funds, bank, direction):
        body = {
            "accountId": str(bank.account_id),
            "relationshipId": str(bank.pk),
            "amount": "5",
            "direction": direction,
        }

        answer = api(customer("ada")).post(TRANSFER, body, format="json")

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["direction"])
        assert (count_of(bank), funds.payments) == (0, [])


class TestShowing:
    def test_one_is_named_by_either_id_and_looks_as_in_the_list(self, api, funds, bank):
        transfer = move(bank, "12.50")
        client = api(customer("ada"))

        by_ours = client.get(url(bank, transfer.pk))
        by_theirs = client.get(url(bank, transfer.broker_transfer_id))
        [listed] = client.get(url(bank)).json()["transfers"]

        assert by_ours.json() == by_theirs.json() == listed
        assert set(listed) >= {
            *("id", "amount", "status", "direction", "created_at", "updated_at", "type"),
            *("relationship_id", "fee", "requested_amount", "expires_at"),
        }
        assert (listed["is_cancelable"], listed["returned"]) == (True, None)

    def test_what_nobody_has_or_somebody_else_has_is_not_found(self, api, funds, bank):
        transfer = move(bank)
        mine = make_bank(make_account("eve"))

        for who, path in [
            ("eve", url(bank, transfer.pk)),
            ("eve", url(mine, transfer.pk)),
            ("ada", url(bank, "nonsense")),
            ("ada", url(bank, bank.pk)),
        ]:
            assert api(customer(who)).get(path).status_code == 404

    def test_a_key_needs_its_scope(self, api, funds, bank):
        transfer = move(bank)

        assert api(service()).get(url(bank, transfer.pk)).status_code == 200
        reading = api(service("funding:read", "act_for"))
        assert reading.get(url(bank, transfer.pk)).status_code == 200
        assert reading.delete(url(bank, transfer.pk)).status_code == 403
        assert funds.cancellations == []

    @pytest.mark.parametrize(
        ("status", "is_cancelable"),
        [("PENDING", True), ("APPROVAL_PENDING", True), ("SENT_TO_CLEARING", False), ("X", False)],
    )
    def test_says_whether_it_can_still_be_stopped(self, api, funds, bank, status, is_cancelable):
        transfer = move(bank)
        tell(transfer, status)

        shown = api(customer("ada")).get(url(bank, transfer.pk)).json()

        assert shown["is_cancelable"] is is_cancelable

    def test_says_why_it_came_back_as_soon_as_that_is_known(self, api, funds, bank):
        transfer = move(bank)
        client = api(customer("ada"))
        funds.settle(transfer.broker_transfer_id, "RETURNED", "R01: insufficient funds")

        tell(transfer, "RETURNED")
        before = client.get(url(bank, transfer.pk)).json()["returned"]
        refresh()
        after = client.get(url(bank, transfer.pk)).json()["returned"]

        assert case_of(transfer).code == "R01"
        assert before["code"] is None
        assert after == {
            "code": "R01",
            "meaning": "The bank account did not hold enough money.",
        }

    def test_a_long_list_takes_no_more_questions_than_a_short_one(
        self, api, funds, bank, django_assert_max_num_queries
    ):
        for cents in range(1, 9):
            move(bank, f"1.0{cents}")

        with django_assert_max_num_queries(12):
            shown = api(customer("ada")).get(url(bank)).json()

        assert len(shown["transfers"]) == 8
