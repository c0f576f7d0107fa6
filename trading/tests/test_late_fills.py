"""What the cash ledger has of fills whose events were lost, and of those taken back."""

from decimal import Decimal

import pytest

from trading import services
from trading.tests.factories import buy, reload
from trading.tests.telling import books_tell, cash, event, held, now, tell, witnesses

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)


class TestLostEvents:
    """A reading shows the order as filled; what was paid, only the broker's books tell."""

    @pytest.fixture
    def filled(self, place, broker):
        order = place(buy(quantity="4"))
        self.events = [
            broker.fill(str(order.pk), Decimal(1), HUNDRED),
            broker.fill(str(order.pk), Decimal(3), HUNDRED),
        ]
        services.heal_accounts(at=now())
        assert reload(order).vendor_status == "filled"
        return order

    def test_keep_the_money_held_until_the_books_tell(self, filled, account):
        assert (held(filled), cash(account)) == (400, (Decimal(0), Decimal(-400)))

        books_tell(account, filled, quantity=1, cumulative=1)
        services.heal_accounts(at=now())
        assert reload(filled).posted_quantity == 1
        assert (held(filled), cash(account)) == (300, (Decimal(-100), Decimal(-400)))

        books_tell(account, filled, quantity=3, cumulative=4)
        services.heal_accounts(at=now())
        assert reload(filled).is_posted
        assert (held(filled), cash(account)) == (0, (Decimal(-400), Decimal(-400)))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]] * 2

    def test_that_come_late_post_nothing_a_second_time(self, filled, account):
        books_tell(account, filled, quantity=1, cumulative=1)
        books_tell(account, filled, quantity=3, cumulative=4)
        services.heal_accounts(at=now())

        tell(*self.events)

        assert (held(filled), cash(account)[0]) == (0, Decimal(-400))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]] * 2

    def test_that_come_late_and_before_the_books_are_posted(self, filled, account):
        tell(*reversed(self.events))

        assert (held(filled), cash(account)[0]) == (0, Decimal(-400))
        assert witnesses(account) == [["EXECUTION"]] * 2

    @pytest.mark.parametrize("do_books_tell", [False, True])
    def test_of_which_a_later_one_came_are_still_waited_for(
        self, place, broker, account, do_books_tell
    ):
        order = place(buy(quantity="4"))
        first = broker.fill(str(order.pk), Decimal(1), HUNDRED)
        tell(broker.fill(str(order.pk), Decimal(3), HUNDRED))
        if do_books_tell:
            books_tell(account, order, quantity=3, cumulative=4)

        services.heal_accounts(at=now())
        assert (held(order), reload(order).posted_quantity) == (100, 3)

        tell(first)
        assert (held(order), cash(account)) == (0, (Decimal(-400), Decimal(-400)))

    def test_of_a_last_fill_below_half_a_cent_are_not_waited_for(self, place, broker, account):
        order = place(buy(quantity="1.00001"))
        broker.fill(str(order.pk), Decimal(1), HUNDRED)
        broker.fill(str(order.pk), Decimal("0.00001"), HUNDRED)
        services.heal_accounts(at=now())
        books_tell(account, order, quantity=1, cumulative=1)

        services.heal_accounts(at=now())

        assert (reload(order).is_posted, held(order)) == (True, 0)


class TestACorrection:
    @pytest.fixture
    def filled(self, place, broker):
        order = place(buy(quantity="4"))
        self.told = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        tell(self.told)
        return order

    def test_that_takes_a_fill_back_returns_the_money(self, filled, account):
        nothing = {**self.told["order"], "filled_qty": "0", "filled_avg_price": None}
        bust = event(self.told, "trade_bust", 1, order=nothing)

        tell(bust, event(bust, "trade_bust", 2))

        assert cash(account) == (Decimal(0), Decimal(0))

    def test_that_changes_a_price_moves_the_difference(self, filled, account):
        changes = {
            "execution_id": "the-right-one",
            "previous_execution_id": self.told["execution_id"],
            "price": "101",
            "order": {**self.told["order"], "filled_avg_price": "101"},
        }
        correct = event(self.told, "trade_correct", 1, **changes)

        tell(correct, event(correct, "trade_correct", 2))

        assert cash(account) == (Decimal(-404), Decimal(-404))
        assert (held(filled), reload(filled).is_posted) == (0, True)

    def test_leaves_alone_what_is_still_to_come(self, place, broker, account):
        order = place(buy(quantity="6"))
        late, *told = [broker.fill(str(order.pk), Decimal(part), HUNDRED) for part in (1, 2, 3)]
        tell(*told)
        rest = {**told[1]["order"], "filled_qty": "3"}
        tell(event(told[1], "trade_bust", 1, order=rest))
        assert (cash(account)[0], reload(order).posted_quantity) == (Decimal(-200), 2)

        tell(late)

        assert (cash(account)[0], reload(order).posted_quantity) == (Decimal(-300), 3)

    def test_of_an_unknown_fill_moves_nothing(self, filled, account):
        strange = event(self.told, "trade_bust", 1, execution_id="never-heard-of")

        tell(strange)

        assert cash(account) == (Decimal(-400), Decimal(-400))
