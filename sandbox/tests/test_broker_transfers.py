"""Money in and out, its limits, and the ways it can go wrong."""

from decimal import Decimal

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def statuses(desk: Desk, account_id: str) -> list[str]:
    return [each["status"] for each in desk.call("GET", f"/v1/accounts/{account_id}/transfers")]


class TestBanks:
    def test_only_one_bank_can_be_linked_at_a_time(self, desk):
        account_id = desk.open_account()
        desk.link_bank(account_id)

        answer = desk.call(
            "POST",
            f"/v1/accounts/{account_id}/ach_relationships",
            status=409,
            json={"processor_token": "processor-sandbox-2"},
        )

        assert answer == {
            "code": 40910000,
            "message": "only one active ach relationship allowed",
        }

    def test_a_routing_number_with_a_wrong_check_digit_is_refused(self, desk):
        account_id = desk.open_account()

        answer = desk.call(
            "POST",
            f"/v1/accounts/{account_id}/ach_relationships",
            status=422,
            json={
                "account_owner_name": "Ada Stone",
                "bank_account_type": "CHECKING",
                "bank_account_number": "123456789",
                "bank_routing_number": "121000359",
            },
        )

        assert answer["message"] == "bank_routing_number is not valid"

    def test_a_link_can_be_filtered_by_status(self, desk):
        account_id = desk.open_account()
        desk.link_bank(account_id)
        path = f"/v1/accounts/{account_id}/ach_relationships"

        approved = desk.call("GET", path, params={"statuses": "QUEUED,APPROVED"})
        canceled = desk.call("GET", path, params={"statuses": "CANCELED"})

        assert [each["status"] for each in approved] == ["APPROVED"]
        assert canceled == []


class TestTransfers:
    def test_a_deposit_becomes_cash_only_when_complete(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.transfer(account_id, relationship_id, "100.00")

        seen = []
        for _ in range(3):
            seen.append((statuses(desk, account_id)[0], desk.cash(account_id)))
            desk.advance(1.6)

        assert seen == [("QUEUED", 0), ("SENT_TO_CLEARING", 0), ("COMPLETE", 100)]

    def test_a_withdrawal_holds_its_money_from_the_start(self, desk):
        account_id = desk.funded_account("100")
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")
        desk.transfer(account_id, bank["id"], "60", "OUTGOING")

        pending = desk.trading_account(account_id)
        desk.advance(10)

        assert (pending["cash"], pending["cash_withdrawable"]) == ("100", "40")
        assert pending["pending_transfer_out"] == "60"
        assert desk.trading_account(account_id)["cash"] == "40"

    def test_more_than_is_there_cannot_be_withdrawn(self, desk):
        account_id = desk.funded_account("100")
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")

        answer = desk.call(
            "POST",
            f"/v1/accounts/{account_id}/transfers",
            status=403,
            json={
                "transfer_type": "ach",
                "relationship_id": bank["id"],
                "amount": "100.01",
                "direction": "OUTGOING",
            },
        )

        assert answer["cash_withdrawable"] == "100"

    def test_fifty_thousand_dollars_a_day_is_the_most(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.transfer(account_id, relationship_id, "50000")

        answer = desk.call(
            "POST",
            f"/v1/accounts/{account_id}/transfers",
            status=422,
            json={
                "transfer_type": "ach",
                "relationship_id": relationship_id,
                "amount": "0.01",
                "direction": "INCOMING",
            },
        )

        assert answer == {
            "code": 40010001,
            "message": "maximum total daily transfer allowed is $50000",
        }

    def test_limits_of_a_day_can_be_set(self, serve):
        limits = {"transfers_per_day": 1, "transfer_amount_per_day": Decimal(20)}
        desk = Desk(serve(speed=0, **limits))
        account_id = desk.open_account()
        path, bank = f"/v1/accounts/{account_id}/transfers", desk.link_bank(account_id)
        body = {"transfer_type": "ach", "relationship_id": bank, "direction": "INCOMING"}

        large = desk.call("POST", path, status=422, json=body | {"amount": "20.01"})
        first = desk.transfer(account_id, bank, "10")
        second = desk.call("POST", path, status=422, json=body | {"amount": "1"})
        desk.call("DELETE", f"{path}/{first['id']}", status=204)
        desk.transfer(account_id, bank, "10")
        desk.advance(10)
        desk.transfer(account_id, bank, "5", "OUTGOING")

        assert large["message"] == "maximum total daily transfer allowed is $20"
        assert second == {
            "code": 40010001,
            "message": "maximum number of ACH transfers allowed is 1 per trading day",
        }

    def test_a_queued_transfer_can_be_canceled_and_a_sent_one_cannot(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        first = desk.transfer(account_id, relationship_id, "10")
        desk.call("DELETE", f"/v1/accounts/{account_id}/transfers/{first['id']}", status=204)
        second = desk.transfer(account_id, relationship_id, "10")
        desk.advance(1.6)

        desk.call("DELETE", f"/v1/accounts/{account_id}/transfers/{second['id']}", status=422)
        for gone in (first["id"], "none"):
            desk.call("DELETE", f"/v1/accounts/{account_id}/transfers/{gone}", status=404)

        assert sorted(statuses(desk, account_id)) == ["CANCELED", "SENT_TO_CLEARING"]

    def test_pages_are_cut_by_limit_offset_and_direction(self, desk):
        account_id = desk.funded_account("100")
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")
        for amount in ("1", "2", "3"):
            desk.transfer(account_id, bank["id"], amount, "OUTGOING")
            desk.advance(1)
        path = f"/v1/accounts/{account_id}/transfers"

        def page(offset: int) -> list[str]:
            wanted = {"direction": "OUTGOING", "limit": 2, "offset": offset}
            return [each["amount"] for each in desk.call("GET", path, params=wanted)]

        assert [page(0), page(2), page(4)] == [["3", "2"], ["1"], []]

    def test_an_offset_that_is_no_number_is_refused(self, desk):
        account_id = desk.open_account()

        desk.call("GET", f"/v1/accounts/{account_id}/transfers", status=422, params={"offset": "x"})

    def test_a_planned_rejection_leaves_no_cash(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.server.fault(kind="reject_transfer")
        desk.transfer(account_id, relationship_id, "10")
        desk.advance(10)

        assert statuses(desk, account_id) == ["REJECTED"]
        assert desk.cash(account_id) == 0

    @pytest.mark.parametrize(
        ("variant", "reason"),
        [
            ("", "R01: insufficient funds"),
            ("R03", "R03: no account/unable to locate account"),
            ("R85", "R85: returned by the bank"),
        ],
    )
    def test_a_rejection_gives_the_code_of_the_network(self, desk, variant, reason):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.server.fault(kind="reject_transfer", variant=variant)
        desk.transfer(account_id, relationship_id, "10")
        desk.advance(10)

        [sent] = desk.call("GET", f"/v1/accounts/{account_id}/transfers")
        assert (sent["status"], sent["reason"]) == ("REJECTED", reason)

    def test_a_returned_withdrawal_puts_the_money_back(self, desk):
        account_id = desk.funded_account("100")
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")
        desk.server.fault(kind="return_transfer", variant="R16", path="OUTGOING")
        desk.transfer(account_id, bank["id"], "5")
        desk.transfer(account_id, bank["id"], "60", "OUTGOING")
        desk.advance(3.5)
        gone = desk.cash(account_id)
        desk.advance(10)

        sent = desk.call("GET", f"/v1/accounts/{account_id}/transfers")
        ends = {each["amount"]: (each["status"], each["reason"]) for each in sent}
        assert gone == 45
        assert desk.cash(account_id) == 105
        assert ends["60"] == ("RETURNED", "R16: account frozen")
        assert ends["5"] == ("COMPLETE", None)

    def test_a_planned_return_takes_back_what_had_arrived(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.server.fault(kind="return_transfer")
        desk.transfer(account_id, relationship_id, "10")
        desk.advance(3.5)
        arrived = desk.cash(account_id)
        desk.advance(10)

        lines = desk.call("GET", "/v1/accounts/activities", params={"account_id": account_id})
        assert arrived == 10
        assert statuses(desk, account_id) == ["RETURNED"]
        assert desk.cash(account_id) == 0
        assert [each["net_amount"] for each in lines] == ["-10.00", "10.00"]
