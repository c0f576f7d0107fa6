"""Many who tell at the same time, in any order, again and again: one entry each."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts.tests.factories import make_account
from core.auth import SYSTEM, acting_as
from core.ids import new_id
from ledger import services
from ledger.models import Entry, Witness
from ledger.states import WitnessKind
from ledger.tests import invariants
from ledger.tests.factories import NOW, cash_of, entries_of, hold, movement, post

THREADS = 6


def at_once(*acts):
    """Let all of them begin at the same moment, each on a connection of its own."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        try:
            barrier.wait(timeout=60)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.mark.parametrize("attempt", range(5))
    def test_two_witnesses_of_a_transfer_make_one_entry(self, account, attempt):
        told = [movement(account, "DEPOSIT", "100.00", kind) for kind in ("TRANSFER", "ACTIVITY")]

        found = at_once(*(lambda each=each: post(each) for each in told * (THREADS // 2)))

        assert len({entry.pk for entry in found}) == 1
        assert cash_of(account).total == 100

    @pytest.mark.parametrize("attempt", range(5))
    def test_two_witnesses_of_a_fill_make_one_entry_and_use_the_hold_up_once(
        self, account, attempt
    ):
        order, key = new_id(), services.fill_key("order", Decimal(3))
        hold(account, order, "40.00")
        told = [
            movement(account, "PURCHASE", "-30.00", "EXECUTION", natural_key=key, reference=order),
            movement(account, "PURCHASE", "-30.00", "ACTIVITY", natural_key=key),
        ]

        at_once(*(lambda each=each: post(each) for each in told * (THREADS // 2)))

        assert (cash_of(account).total, cash_of(account).held) == (-30, 10)

    def test_one_reversal_whoever_takes_it_back(self, account):
        entry = post(movement(account, "SALE", "5.00"))

        def back(kind):
            with acting_as(SYSTEM):
                return services.reverse(
                    entry_id=entry.pk, told_by=WitnessKind(kind), external_id=kind, at=NOW
                )

        kinds = ["ACTIVITY", "EXECUTION", "OPERATOR"] * 2
        found = at_once(*(lambda kind=kind: back(kind) for kind in kinds))

        assert len({each.pk for each in found}) == 1
        assert cash_of(account).total == 0

    def test_comparing_many_times_at_once_enters_each_line_once(self, account, books):
        for cents in range(1, 21):
            books.book(account.broker_account_id, "INT", f"0.{cents:02}")

        made = at_once(
            *(lambda: services.compare_account(account_id=account.pk, at=NOW) for _ in range(4))
        )

        assert sum(each.new for each in made) >= 20
        assert len(entries_of(account)) == 20


class Life:
    """
    What happens to one customer's cash, and everybody who tells of it.

    `balance` is the model: plain sums that know nothing of witnesses.
    """

    def __init__(self, account, seed):
        self.account = account
        self.chance = random.Random(seed)
        self.balance = Decimal(0)
        self.told = []
        self.happened = 0
        self.twice = 0
        # So far apart that a transfer is no other one's neighbour, except where it is meant.
        self.at = NOW - timedelta(days=400)

    def live(self, steps):
        acts = [self.transfer, self.returned, self.fill, self.only_broker, self.twins]
        for _ in range(steps):
            self.at += timedelta(hours=self.chance.randint(1, 200))
            self.chance.choice(acts)()

    def happen(self, kind, cash, *sides, at=None, **more):
        """Something moves cash once; each side tells of it, some of them twice."""
        self.happened += 1
        self.twice += len(sides) == 2
        self.balance += cash.quantize(Decimal("0.01"))
        for side in sides:
            late = timedelta(minutes=self.chance.randint(0, 60))
            telling = movement(
                self.account, kind, str(cash), side, occurred_at=(at or self.at) + late, **more
            )
            self.told += [telling] * self.chance.choice([1, 1, 2])

    def dollars(self):
        return Decimal(self.chance.randint(1, 500_000)) / 100

    def transfer(self):
        kind, sign = self.chance.choice([("DEPOSIT", 1), ("WITHDRAWAL", -1)])
        self.happen(kind, sign * self.dollars(), "TRANSFER", "ACTIVITY")

    def returned(self):
        """A deposit arrives and goes back, in whatever words the broker has for it."""
        amount = self.dollars()
        self.happen("DEPOSIT", amount, "TRANSFER", "ACTIVITY")
        later = self.at + timedelta(days=self.chance.randint(0, 60))
        self.happen("DEPOSIT_RETURN", -amount, "TRANSFER", "ACTIVITY", at=later)

    def twins(self):
        """Two transfers of one amount on one day."""
        amount = self.dollars()
        for _ in range(2):
            self.happen("DEPOSIT", amount, "TRANSFER", "ACTIVITY")

    def fill(self):
        order, cumulative = str(new_id()), Decimal(0)
        kind, sign = self.chance.choice([("PURCHASE", -1), ("SALE", 1)])
        for _ in range(self.chance.randint(1, 3)):
            quantity = Decimal(self.chance.randint(1, 9_999_999)) / 10_000
            cumulative += quantity
            value = quantity * Decimal(self.chance.randint(1, 900_000)) / 10_000
            key = services.fill_key(order, cumulative)
            if value.quantize(Decimal("0.01")):
                self.happen(kind, sign * value, "EXECUTION", "ACTIVITY", natural_key=key)

    def only_broker(self):
        kind, sign = self.chance.choice(
            [("DIVIDEND", 1), ("FEE", -1), ("INTEREST", 1), ("TAX", -1), ("JOURNAL", 1)]
        )
        self.happen(kind, sign * self.dollars(), "ACTIVITY")


def live_and_check(account, seed, *, steps):
    life = Life(account, seed)
    life.live(steps)
    life.chance.shuffle(life.told)
    for telling in life.told:
        post(telling)
    with acting_as(SYSTEM):
        entries = Entry.objects.filter(account=account)
        assert entries.count() == life.happened
        assert Witness.objects.filter(entry__account=account).count() == (
            life.happened + life.twice
        )
    invariants.check(broker_cash={account.pk: life.balance})


@pytest.mark.django_db
class TestInAnyOrder:
    @pytest.mark.parametrize("seed", range(6))
    def test_everything_told_by_both_sides_is_booked_once(self, account, seed):
        live_and_check(account, seed, steps=20)

    @pytest.mark.proof
    @pytest.mark.parametrize("batch", range(5))
    def test_a_hundred_lives_and_each_has_the_balance_of_the_model(self, db, batch):
        for seed in range(20):
            live_and_check(make_account(), 1000 + 20 * batch + seed, steps=20)
