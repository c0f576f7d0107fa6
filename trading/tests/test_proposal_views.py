"""The routes by which a customer sees, approves and rejects proposals."""

import pytest

from core.auth import Kind, Principal
from trading.tests import factories
from trading.tests.conftest import client_of
from trading.tests.factories import orders_of, reload
from trading.tests.proposing import propose

pytestmark = pytest.mark.django_db


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
        assert (shown["notional"], shown["quote_price"], shown["price_high"]) == (
            "100.00",
            "100.00",
            "101.00",
        )

    def test_can_be_listed_by_state(self, alice, proposal):
        assert len(alice.get("/api/proposals?state=PENDING").json()["proposals"]) == 1
        assert alice.get("/api/proposals?state=APPROVED").json()["proposals"] == []
        assert alice.get("/api/proposals?state=odd").status_code == 400

    def test_approved_by_their_hash_become_an_order(self, alice, proposal, broker):
        answer = self.decide(alice, proposal, "approve", {"hash": proposal.hash})

        body = answer.json()
        assert (answer.status_code, body["state"], body["order"]["state"]) == (
            200,
            "APPROVED",
            "ACCEPTED",
        )
        assert len(broker.submitted) == 1

    @pytest.mark.parametrize(
        "body", ["no", {}, 0, [], None, {"hash": None}, {"hash": True}, {"hash": "no"}]
    )
    def test_are_not_approved_by_anything_else(self, alice, proposal, account, body):
        answer = self.decide(alice, proposal, "approve", body)

        assert (answer.status_code, orders_of(account)) == (400, [])
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
