"""The routes by which a customer sees, approves and rejects proposals."""

import json
from decimal import Decimal

import pytest

from core.auth import Kind, Principal
from trading.tests import factories
from trading.tests.conftest import client_of
from trading.tests.factories import orders_of, reload
from trading.tests.proposing import propose

pytestmark = pytest.mark.django_db


FORM = "application/x-www-form-urlencoded"


class TestProposals:
    @pytest.fixture
    def proposal(self, account, broker):
        return propose()

    def decide(self, client, proposal, decision, body):
        return client.post(f"/api/proposals/{proposal.pk}/{decision}", body, format="json")

    def test_show_everything_the_hash_covers(self, alice, proposal):
        (listed,) = alice.get("/api/proposals").json()["proposals"]
        shown = alice.get(f"/api/proposals/{proposal.pk}").json()

        assert listed == shown
        assert (shown["hash"], shown["text"]) == (proposal.hash, proposal.text)
        (line,) = shown["lines"]
        assert (line["notional"], line["quote_price"], line["price_high"], line["order"]) == (
            "100.00",
            "100.00",
            "101.00",
            None,
        )
        assert (shown["origin"], shown["estimated_total"]) == ("AGENT", "100.00")

    def test_can_be_listed_by_state(self, alice, proposal):
        assert len(alice.get("/api/proposals?state=PENDING").json()["proposals"]) == 1
        assert alice.get("/api/proposals?state=APPROVED").json()["proposals"] == []
        assert alice.get("/api/proposals?state=odd").status_code == 400

    def test_can_be_listed_by_account(self, alice, proposal, account):
        theirs = factories.new_account("bob-sub")

        def listed(account_id):
            return alice.get(f"/api/proposals?account_id={account_id}")

        assert len(listed(account.pk).json()["proposals"]) == 1
        assert len(listed(account.broker_account_id).json()["proposals"]) == 1
        for nobodys in (theirs.pk, theirs.broker_account_id, "x", "%00"):
            assert listed(nobodys).status_code in {400, 404}
        assert listed(theirs.pk).status_code == 404

    def test_approved_by_their_hash_become_an_order(self, alice, proposal, broker):
        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})

        body = answer.json()
        assert (answer.status_code, body["state"], body["lines"][0]["order"]["state"]) == (
            200,
            "APPROVED",
            "ACCEPTED",
        )
        assert len(broker.submitted) == 1

    @pytest.mark.parametrize(
        "body",
        [
            "no",
            "false",
            "yes",
            "approve",
            {},
            0,
            1,
            [],
            None,
            True,
            False,
            {"hash": None},
            {"hash": True},
            {"hash": "no"},
            {"hash": 0},
            {"hash": []},
            {"hash": {"hash": "HASH"}},
            {"approved": False},
            {"hash": "HASH", "approved": False},
            {"hash": "HASH", "state": "APPROVED"},
            {"hash": ["HASH"]},
            {"HASH": True},
            ["HASH"],
            "HASH",
            {"hash": "HASH\u200b"},
        ],
    )
    def test_are_not_approved_by_anything_else(self, alice, proposal, account, body):
        body = json.loads(json.dumps(body).replace("HASH", proposal.hash))
        answer = self.decide(alice, proposal, "approve", body)

        assert (answer.status_code, orders_of(account)) == (400, [])
        assert reload(proposal).state == "PENDING"

    def test_are_not_approved_by_a_form_or_by_no_body(self, alice, proposal, account):
        path = f"/api/proposals/{proposal.pk}/approve"
        answers = [
            alice.post(path, f"hash={proposal.hash}", content_type=FORM),
            alice.post(path),
            alice.post(f"{path}?hash={proposal.hash}"),
            alice.get(path),
        ]

        assert all(400 <= answer.status_code < 500 for answer in answers)
        assert (orders_of(account), reload(proposal).state) == ([], "PENDING")

    def test_come_back_fresh_when_the_price_has_moved(self, alice, proposal, apple, account):
        factories.set_price(apple, "105")

        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})

        body = answer.json()
        fresh = body["proposal"]
        assert (answer.status_code, body["code"], body["symbols"]) == (409, "price_moved", ["AAPL"])
        assert (fresh["state"], fresh["supersedes"]) == ("PENDING", str(proposal.pk))
        assert fresh == alice.get(f"/api/proposals/{fresh['id']}").json()
        approved = alice.post(
            f"/api/proposals/{fresh['id']}/approve", {"hash": fresh["hash"]}, format="json"
        )
        assert (approved.status_code, len(orders_of(account))) == (200, 1)

    def test_of_much_money_ask_for_a_second_factor(self, proposal, account, settings):
        settings.ORDER_STEP_UP_NOTIONAL = Decimal(50)
        weak = client_of(Principal(kind=Kind.CUSTOMER, user_id="alice-sub", aal="aal1"))
        strong = client_of(Principal(kind=Kind.CUSTOMER, user_id="alice-sub", aal="aal2"))

        refused = self.decide(weak, proposal, "approve", {"hash": proposal.hash})
        assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (
            403,
            "aal2_required",
            "50.00",
        )
        assert orders_of(account) == []
        assert self.decide(strong, proposal, "approve", {"hash": proposal.hash}).status_code == 200

    def test_a_rule_breaks_are_422_and_can_be_approved_later(self, alice, proposal, account):
        factories.fund(account, cash="1")

        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})

        assert (answer.status_code, answer.json()["rule"]) == (422, "insufficient_buying_power")
        assert reload(proposal).state == "PENDING"

    def test_a_stale_hash_is_409(self, alice, proposal, account):
        answer = self.decide(alice, proposal, "approve", {"hash": "0" * 64})

        assert (answer.status_code, answer.json()["code"]) == (409, "proposal_changed")
        assert orders_of(account) == []

    def test_an_expired_one_is_410(self, alice, proposal, account):
        factories.pass_time(301)

        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})
        assert (answer.status_code, answer.json()["code"]) == (410, "expired")
        assert orders_of(account) == []

    def test_anothers_is_404_in_every_way(self, bob, proposal, account):
        answers = [
            bob.get(f"/api/proposals/{proposal.pk}"),
            self.decide(bob, proposal, "approve", {"hash": proposal.hash}),
            self.decide(bob, proposal, "reject", {}),
        ]

        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert bob.get("/api/proposals").json()["proposals"] == []
        assert (reload(proposal).state, orders_of(account)) == ("PENDING", [])

    def test_a_service_may_show_and_reject_but_not_approve(self, proposal, account):
        service = client_of(
            Principal(
                kind=Kind.SERVICE,
                key_id="k",
                scopes=frozenset({"act_for", "trading:read", "trading:write"}),
            )
        )
        as_alice = {"X-Act-For": "alice-sub"}
        path = f"/api/proposals/{proposal.pk}"

        assert service.get(path, headers=as_alice).status_code == 200
        approved = service.post(
            f"{path}/approve", {"hash": proposal.hash}, format="json", headers=as_alice
        )
        assert (approved.status_code, orders_of(account)) == (403, [])
        rejected = service.post(f"{path}/reject", {}, format="json", headers=as_alice)
        assert (rejected.status_code, rejected.json()["state"]) == (200, "REJECTED")

    def test_rejected_ones_stay_rejected(self, alice, proposal, account):
        assert self.decide(alice, proposal, "reject", {}).json()["state"] == "REJECTED"

        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})
        assert (answer.status_code, answer.json()["code"]) == (409, "proposal_settled")
        assert orders_of(account) == []
