"""Web and worker processes die at any moment under a load of orders; each order happens once."""

import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest

from accounts.tests.factories import alpaca_data
from tests.chaos import killing
from tests.e2e.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SYMBOLS = ["AAPL", "MSFT", "KO", "F", "T", "PFE"]
CLIENTS = 4
TRIES = 400
OVER = {"filled", "canceled", "rejected", "expired"}


class Trader:
    """A customer of their own, with money, who places orders until told to stop."""

    def __init__(self, clera):
        name = f"trader-{uuid.uuid4()}"
        self.clera = clera
        email = f"{name}@example.com"
        bearer = clera.token(name, email)
        self.client = httpx.Client(
            headers={"Authorization": f"Bearer {bearer}"}, trust_env=False, timeout=20
        )
        body = {"userId": name, "alpacaData": alpaca_data(email)}
        opened = self.client.post(f"{clera.url}/create-alpaca-account", json=body)
        self.account = opened.raise_for_status().json()["id"]
        until(self._is_active)
        path = f"/_control/accounts/{self.account}/seed"
        seed = {"cash": "1000000", "months": 1}
        httpx.post(f"{clera.sandbox}{path}", json=seed, trust_env=False).raise_for_status()
        self.placed = {}
        until(self._has_money)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def _is_active(self):
        mine = self.client.get(f"{self.clera.url}/api/me").raise_for_status().json()
        return [account["status"] for account in mine["accounts"]] == ["ACTIVE"]

    def _has_money(self):
        """Buy a first time: a refusal has the broker read again, and then the seed is known."""
        body = {"account_id": self.account, "ticker": "AAPL", "side": "BUY", "notional_amount": "2"}
        body["allow_duplicate"] = True
        answer = self.client.post(f"{self.clera.url}/api/trade", json=body)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            return False
        self.placed["first"] = answer.raise_for_status().json()["order"]["clera_order_id"]
        return True

    def trade(self, urls, seed, is_over):
        """Place one order after the other, each under a key of its own, whoever dies."""
        rng = random.Random(seed)
        for _ in range(TRIES):
            if is_over.is_set():
                return
            key = str(uuid.UUID(int=rng.getrandbits(128)))
            body = {
                "account_id": self.account,
                "ticker": rng.choice(SYMBOLS),
                "side": "BUY",
                "notional_amount": f"{rng.randint(200, 900) / 100:.2f}",
                "allow_duplicate": True,  # another key is another order
            }
            answer = killing.post_until_answered(
                self.client,
                urls,
                "/api/trade",
                rng=rng,
                json=body,
                headers={"Idempotency-Key": key},
            )
            assert answer.status_code in {201, 202}, answer.text
            self.placed[key] = answer.json()["order"]["clera_order_id"]

    def look_at(self, order_id):
        url = f"{self.clera.url}/api/portfolio/{self.account}/orders/{order_id}"
        return self.client.get(url).raise_for_status().json()

    def is_settled(self, order_id):
        order = self.look_at(order_id)
        return order["state"] == "ACCEPTED" and order["status"] in OVER

    def positions(self):
        url = f"{self.clera.url}/api/portfolio/{self.account}/positions"
        return {
            row["symbol"]: Decimal(row["qty"])
            for row in self.client.get(url).raise_for_status().json()
        }


def endure(clera, *, kills, seed):
    """Trade while so many processes are killed, then compare what was said with what was done."""
    with Trader(clera) as trader:
        return _endure(trader, kills=kills, seed=seed)


def _endure(trader, *, kills, seed):
    clera = trader.clera
    is_over, rng = threading.Event(), random.Random(seed)
    killed = 0
    with (
        killing.herd(clera, webs=2, workers=1) as (forks, urls),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        seeds = (seed * 100 + number for number in range(CLIENTS))
        trading = [pool.submit(trader.trade, urls, each, is_over) for each in seeds]
        while killed < kills and not any(each.done() for each in trading):
            time.sleep(rng.uniform(0.05, 0.6))
            killed += forks.kill_one(rng)
        until(
            lambda: len(trader.placed) >= kills or any(each.done() for each in trading), seconds=120
        )
        is_over.set()
        for each in trading:
            each.result()
    assert killed == kills

    placed = list(trader.placed.values())
    for order_id in placed:
        until(lambda order_id=order_id: trader.is_settled(order_id), seconds=90)
    created = clera.effects(kind="order.created", account_id=trader.account)
    once = Counter(effect["client_key"] for effect in created)
    assert Counter(placed) == once, "every order that was answered for is at the broker, once"
    filled = clera.effects(kind="order.filled", account_id=trader.account)
    bought = Counter()
    for effect in filled:
        bought[effect["symbol"]] += Decimal(effect["qty"])
    until(lambda: trader.positions() == dict(bought), seconds=90)
    return len(placed)


def test_orders_happen_once_while_processes_die(clera):
    assert endure(clera, kills=6, seed=1) >= 6


@pytest.mark.proof
def test_orders_happen_once_under_two_hundred_kills(clera):
    assert endure(clera, kills=200, seed=2) >= 200
