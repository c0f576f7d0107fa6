"""However many requests arrive at one moment in however many processes, money moves once."""

from collections import Counter
from uuid import uuid4

import pytest

from core.auth import SYSTEM, acting_as
from core.idempotency import IdempotencyRow
from ledger.tests import invariants as ledger_invariants
from tests.money.webs import Post, barrage
from trading.tests import factories as trading_factories

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TRANSFER, TRADE = "/initiate-ach-transfer", "/api/trade"
TOGETHER = 100
EFFECT = {TRANSFER: "transfer.created", TRADE: "order.created"}


def posts(person, body, *, keys):
    return [Post(body, {**person.headers, "Idempotency-Key": key}) for key in keys]


def effects(sandbox, path, person=None):
    found = sandbox.effects(EFFECT[path])
    whose = None if person is None else person.account.broker_account_id
    return [effect for effect in found if whose in {None, effect["account_id"]}]


def is_replay(answer):
    return answer.headers.get("Idempotent-Replayed") == "true"


def check_round(answers):
    """One request has the effect; the others get the same bytes, or are told when to ask again."""
    assert {answer.status_code for answer in answers} <= {201, 409}, tally(answers)
    (first,) = [answer for answer in answers if answer.status_code == 201 and not is_replay(answer)]
    for answer in answers:
        if answer.status_code == 201:
            assert answer.content == first.content
        else:
            assert answer.json()["code"] == "in_progress"
            assert int(answer.headers["Retry-After"]) >= 1
    return first


def tally(answers):
    return Counter((answer.status_code, answer.text[:80]) for answer in answers)


def check_one_key(urls, sandbox, path, person, body):
    """Do one round of one key, and then ask once more in each process."""
    before, key = len(effects(sandbox, path)), str(uuid4())

    first = check_round(barrage(urls, path, posts(person, body, keys=[key] * TOGETHER)))
    again = barrage(urls, path, posts(person, body, keys=[key] * 2))

    assert all(is_replay(answer) for answer in again)
    assert [answer.content for answer in again] == [first.content] * 2
    assert len(effects(sandbox, path)) == before + 1


@pytest.fixture
def apple(sandbox):
    return trading_factories.new_instrument("AAPL", price="100.00")


class TestTransfers:
    @pytest.mark.parametrize(
        "rounds", [3, pytest.param(20, marks=pytest.mark.proof)], ids="{} rounds".format
    )
    def test_one_key_moves_money_once(self, web_urls, sandbox, ada, rounds):
        for number in range(rounds):
            body = ada.transfer(f"{100 + number}.25")
            check_one_key(web_urls, sandbox, TRANSFER, ada, body)

        amounts = [effect["amount"] for effect in effects(sandbox, TRANSFER)]
        assert amounts == [f"{100 + number}.25" for number in range(rounds)]
        ledger_invariants.check()

    def test_one_key_takes_money_out_once(self, web_urls, sandbox, ada):
        body = ada.transfer("10.00", direction="OUTGOING")

        check_one_key(web_urls, sandbox, TRANSFER, ada, body)

        ledger_invariants.check()

    def test_a_key_stands_for_one_body_and_one_customer(self, web_urls, sandbox, ada, bob):
        (first,) = barrage(web_urls, TRANSFER, posts(ada, ada.transfer("5.00"), keys=["one"]))
        assert first.status_code == 201

        others = barrage(web_urls, TRANSFER, posts(ada, ada.transfer("6.00"), keys=["one"] * 10))
        assert {(one.status_code, one.json()["code"]) for one in others} == {
            (422, "idempotency_key_reused")
        }

        check_round(
            barrage(web_urls, TRANSFER, posts(bob, bob.transfer("5.00"), keys=["one"] * 10))
        )
        assert [len(effects(sandbox, TRANSFER, person)) for person in (ada, bob)] == [1, 1]
        with acting_as(SYSTEM):
            assert IdempotencyRow.objects.filter(key="one").count() == 2

    def test_many_keys_for_the_same_wish_move_money_once(self, web_urls, sandbox, ada):
        body, keys = ada.transfer("77.70"), [str(uuid4()) for _ in range(50)]

        answers = barrage(web_urls, TRANSFER, posts(ada, body, keys=keys))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
        refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert refused == {"possible_duplicate"}
        assert len(effects(sandbox, TRANSFER)) == 1

    def test_without_a_key_the_same_wish_moves_money_once(self, web_urls, sandbox, ada):
        body = ada.transfer(33.3)

        answers = barrage(web_urls, TRANSFER, [Post(body, ada.headers)] * 20)

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
        assert [effect["amount"] for effect in effects(sandbox, TRANSFER)] == ["33.3"]


class TestOrders:
    @pytest.mark.parametrize(
        "rounds", [2, pytest.param(20, marks=pytest.mark.proof)], ids="{} rounds".format
    )
    def test_one_key_places_one_order(self, web_urls, sandbox, ada, apple, rounds):
        for number in range(rounds):
            body = ada.trade(notional_amount=f"{20 + number}.50")
            check_one_key(web_urls, sandbox, TRADE, ada, body)

        held = sorted(ledger_invariants.open_holds().values())
        assert [str(amount) for amount in held] == [f"{20 + number}.50" for number in range(rounds)]
        ledger_invariants.check()

    def test_many_keys_for_the_same_wish_place_one_order(self, web_urls, sandbox, ada, apple):
        body, keys = ada.trade(units="2"), [str(uuid4()) for _ in range(50)]

        answers = barrage(web_urls, TRADE, posts(ada, body, keys=keys))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
        assert len(effects(sandbox, TRADE)) == 1

    def test_together_they_never_spend_more_than_there_is(self, web_urls, sandbox, bob, apple):
        """Each of these fits, and three of them together do not."""
        bodies = [bob.trade(notional_amount=f"{40000 + number}") for number in range(30)]
        asked = [Post(body, bob.headers) for body in bodies]

        answers = barrage(web_urls, TRADE, asked)

        assert Counter(answer.status_code for answer in answers) == {201: 2, 422: 28}
        assert len(effects(sandbox, TRADE)) == 2
        ledger_invariants.check()
