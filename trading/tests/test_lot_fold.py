"""The fold of lots: golden cases, with figures worked out by hand."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from trading.lots import Fill, fold
from trading.lots.dates import term_of
from trading.states import LotMethod, MovementKind, Term
from trading.tests.lot_stories import START, buy, gains_of, lots_of, move, name_of, sell
from trading.tickets import LotChoice

D = Decimal
THREE = [
    buy("a", 0, "10", "100.00"),  # $1,000.00
    buy("b", 40, "10", "130.00"),  # $1,300.00
    buy("c", 80, "10", "110.00"),  # $1,100.00
]


class TestWhichLotsASaleTakes:
    def test_fifo_takes_the_oldest(self):
        book = fold([*THREE, sell("s", 400, "15", "120.00")])

        # $1,800.00: 10 of a, held 400 days, bring 1,200.00; 5 of b, held 360, bring 600.00.
        assert gains_of(book) == [
            (D(10), D("1200.00"), D("1000.00"), 0, Term.LONG),
            (D(5), D("600.00"), D("650.00"), 0, Term.SHORT),
        ]
        assert lots_of(book) == [(D(5), D("650.00")), (D(10), D("1100.00"))]

    def test_hifo_takes_the_dearest(self):
        book = fold([*THREE, sell("s", 400, "15", "120.00", method=LotMethod.HIFO)])

        # 10 of b at 130 and 5 of c at 110.
        assert gains_of(book) == [
            (D(10), D("1200.00"), D("1300.00"), 0, Term.SHORT),
            (D(5), D("600.00"), D("550.00"), 0, Term.SHORT),
        ]
        assert lots_of(book) == [(D(10), D("1000.00")), (D(5), D("550.00"))]

    def test_named_ones_are_taken_over_all_fills_of_the_order(self):
        choices = (
            LotChoice(lot_id=name_of("c"), quantity=D(6)),
            LotChoice(lot_id=name_of("a"), quantity=D(2)),
        )
        named = {"method": LotMethod.SPECIFIC, "choices": choices, "order": "sale"}
        book = fold(
            [*THREE, sell("s1", 400, "5", "120", **named), sell("s2", 401, "3", "121", **named)]
        )

        # 5 of c; then its sixth and 2 of a. Proceeds 600.00, 121.00 and 242.00.
        assert gains_of(book) == [
            (D(5), D("600.00"), D("550.00"), 0, Term.SHORT),
            (D(2), D("242.00"), D("200.00"), 0, Term.LONG),
            (D(1), D("121.00"), D("110.00"), 0, Term.SHORT),
        ]
        assert lots_of(book) == [
            (D(8), D("800.00")),
            (D(10), D("1300.00")),
            (D(4), D("440.00")),
        ]

    def test_the_oldest_make_up_for_named_ones_that_are_gone(self):
        choices = (LotChoice(lot_id=name_of("c"), quantity=D(12)),)
        sale = sell("s", 400, "12", "120", method=LotMethod.SPECIFIC, choices=choices)

        assert lots_of(fold([*THREE, sale])) == [(D(8), D("800.00")), (D(10), D("1300.00"))]

    def test_dollars_are_divided_to_the_cent(self):
        thirds = [buy(name, day, "1", "3.33") for day, name in enumerate("abc")]

        book = fold([*thirds, sell("s", 100, "3", "3.333333333")])

        # 3 x 3.333333333 = 9.999999999, which is 10.00: 3.34 and twice 3.33.
        assert [gain[1] for gain in gains_of(book)] == [D("3.34"), D("3.33"), D("3.33")]

    def test_the_last_shares_of_a_lot_cost_what_is_left_of_it(self):
        book = fold(
            [buy("a", 0, "3", "3.335"), *(sell(f"s{n}", 100 + n, "1", "4") for n in range(3))]
        )

        # 10.005 is 10.00 (half to even); a third is 3.33, half of the rest 3.34 (3.335), then 3.33.
        assert [gain[2] for gain in gains_of(book)] == [D("3.33"), D("3.34"), D("3.33")]


class TestCorporateActions:
    def test_a_split_leaves_the_cost_and_the_age(self):
        book = fold(
            [
                buy("a", 0, "10", "100.00"),
                buy("b", 40, "5", "130.00"),
                move("split", 100, MovementKind.SPLIT, "45"),  # four for one: 15 become 60
                sell("s", 400, "50", "30.00"),
            ]
        )

        # 40 of a cost 1,000.00 and bring 1,200.00; 10 of the 20 of b cost 325.00, bring 300.00.
        assert gains_of(book) == [
            (D(40), D("1200.00"), D("1000.00"), 0, Term.LONG),
            (D(10), D("300.00"), D("325.00"), 0, Term.SHORT),
        ]
        assert lots_of(book) == [(D(10), D("325.00"))]

    def test_a_reverse_split_gives_each_lot_its_part(self):
        book = fold(
            [
                buy("a", 0, "10", "1.00"),
                buy("b", 1, "5", "2.00"),
                # One for ten, told as what goes and what comes: 15 become 1.5.
                move("out", 50, MovementKind.SPLIT, "-15", group="g"),
                move("in", 50, MovementKind.SPLIT, "1.5", group="g"),
            ]
        )

        assert lots_of(book) == [(D("1.000000000"), D("10.00")), (D("0.500000000"), D("10.00"))]

    def test_a_stock_dividend_spreads_the_cost(self):
        book = fold([buy("a", 0, "10", "11.00"), move("div", 9, MovementKind.STOCK_DIVIDEND, "1")])

        assert lots_of(book) == [(D(11), D("110.00"))]

    def test_another_symbol_takes_lots_and_losses_along(self):
        book = fold(
            [
                buy("a", 0, "10", "300.00", symbol="FB"),
                sell("s", 5, "2", "290.00", symbol="FB"),  # $20.00 lost
                move("out", 10, MovementKind.SYMBOL_CHANGE, "-8", symbol="FB", group="g"),
                move("in", 10, MovementKind.SYMBOL_CHANGE, "8", symbol="META", group="g"),
                buy("b", 20, "2", "280.00", symbol="META"),
            ]
        )

        assert lots_of(book, "FB") == []
        # The purchase of META washes the loss made with FB: 560.00 + 20.00.
        assert lots_of(book, "META") == [(D(8), D("2400.00")), (D(2), D("580.00"))]
        assert [gain[3] for gain in gains_of(book)] == [D("20.00")]

    def test_a_late_purchase_was_there_before_the_split(self):
        story = [
            buy("a", 0, "10", "100.00"),
            move("split", 100, MovementKind.SPLIT, "36"),  # 12 became 48
            buy("late", 1, "2", "100.00"),
        ]

        # What the broker has added, 36, is right for 12 shares: four for one.
        assert lots_of(fold(story)) == [(D("40.000000000"), D(1000)), (D("8.000000000"), D(200))]


class TestWashSales:
    def test_a_loss_does_not_count_when_as_much_is_bought_within_thirty_days(self):
        book = fold(
            [
                buy("a", 0, "100", "10.00"),
                sell("s", 100, "100", "7.00"),  # $300.00 lost after 100 days
                buy("b", 130, "100", "8.00"),  # on the thirtieth day
                sell("s2", 400, "100", "12.00"),
            ]
        )

        # b has cost 800 + 300 and was held 270 days and the 100 of a: more than a year.
        assert gains_of(book) == [
            (D(100), D("700.00"), D("1000.00"), D("300.00"), Term.SHORT),
            (D(100), D("1200.00"), D("1100.00"), 0, Term.LONG),
        ]

    def test_on_the_thirty_first_day_it_counts(self):
        book = fold(
            [
                buy("a", 0, "100", "10.00"),
                sell("s", 100, "100", "7.00"),
                buy("b", 131, "100", "8.00"),
            ]
        )

        assert gains_of(book) == [(D(100), D("700.00"), D("1000.00"), 0, Term.SHORT)]
        assert lots_of(book) == [(D(100), D("800.00"))]

    def test_only_so_many_shares_as_were_bought_are_washed(self):
        book = fold(
            [
                buy("a", 0, "100", "10.00"),
                sell("s", 100, "100", "7.00"),  # $3.00 a share lost
                buy("b", 110, "40", "8.00"),
            ]
        )

        assert gains_of(book) == [(D(100), D("700.00"), D("1000.00"), D("120.00"), Term.SHORT)]
        assert lots_of(book) == [(D(40), D("440.00"))]  # 320 + 120

    def test_only_so_many_shares_as_were_sold_replace_them(self):
        book = fold(
            [
                buy("a", 0, "40", "10.00"),
                sell("s", 100, "40", "7.00"),  # $120.00 lost
                buy("b", 110, "100", "8.00"),
            ]
        )

        # 60 shares stay as they were bought; 40 have cost 320 + 120 and are 100 days older.
        assert lots_of(book) == [(D(60), D("480.00")), (D(40), D("440.00"))]
        washed = next(lot for lot in book.lots.values() if lot.wash_added)
        assert washed.root_id == name_of("b")
        assert washed.held_since == (START + timedelta(days=10)).date()

    def test_two_purchases_replace_it_one_after_the_other(self):
        book = fold(
            [
                buy("a", 0, "100", "10.00"),
                sell("s", 100, "100", "7.00"),  # $300.00
                buy("b", 105, "30", "8.00"),
                buy("c", 110, "90", "9.00"),
            ]
        )

        # b washes 30 x 3 = 90.00; of c 70 shares wash 210.00, and 20 are left alone.
        assert gains_of(book)[0][3] == D("300.00")
        assert lots_of(book) == [
            (D(30), D("330.00")),
            (D(70), D("840.00")),
            (D(20), D("180.00")),
        ]

    def test_what_was_bought_shortly_before_replaces_too(self):
        book = fold(
            [
                buy("a", 0, "50", "10.00"),
                buy("b", 90, "50", "9.00"),
                sell("s", 100, "50", "8.00"),  # a, $100.00 lost
            ]
        )

        assert gains_of(book) == [(D(50), D("400.00"), D("500.00"), D("100.00"), Term.SHORT)]
        assert lots_of(book) == [(D(50), D("550.00"))]

    def test_what_the_same_sale_takes_replaces_nothing(self):
        book = fold(
            [
                buy("a", 0, "50", "10.00"),
                buy("b", 90, "50", "9.00"),
                sell("s", 100, "100", "8.00"),
            ]
        )

        assert [gain[3] for gain in gains_of(book)] == [0, 0]

    def test_the_rest_of_one_purchase_replaces_nothing(self):
        whole = [buy("a", 0, "50", "10.00", order="o"), buy("b", 0, "50", "10.00", order="o")]

        assert gains_of(fold([*whole, sell("s", 10, "50", "8.00")]))[0][3] == 0

    def test_a_share_replaces_only_once(self):
        book = fold(
            [
                buy("a", 0, "20", "10.00"),
                sell("s", 50, "10", "8.00"),
                sell("t", 51, "10", "7.00"),
                buy("b", 60, "10", "9.00"),
            ]
        )

        # The first loss, 20.00, is washed; the second, 30.00, finds nothing left.
        assert [gain[3] for gain in gains_of(book)] == [D("20.00"), 0]
        assert lots_of(book) == [(D(10), D("110.00"))]

    def test_gains_are_never_washed(self):
        book = fold([buy("a", 0, "10", "10"), sell("s", 5, "10", "11"), buy("b", 6, "10", "11")])

        assert gains_of(book)[0][3] == 0

    def test_losses_that_do_not_count_are_only_put_off(self):
        story = [
            buy("a", 0, "100", "10.00"),
            sell("s", 100, "100", "7.00"),
            buy("b", 110, "33", "8.00"),
            buy("c", 115, "34", "8.10"),
            sell("t", 300, "67", "9.00"),
        ]

        book = fold(story)

        # Paid 1000 + 264 + 275.40, received 700 + 603: 236.40 lost in all, whenever it counts.
        counted = sum(c.gain + c.disallowed for c in book.closings.values())
        assert counted == D("-236.40")


class TestWhatIsNotKnown:
    def test_shares_that_were_there_before_us_are_the_oldest(self):
        book = fold(
            [
                buy("a", 0, "10", "100.00"),
                move("open", 50, MovementKind.OPENING, "5", cost="450.00"),
                sell("s", 60, "6", "120.00"),
            ]
        )

        by_age = sorted(book.closings.values(), key=lambda each: each.quantity)
        assert [(c.quantity, c.basis, c.term) for c in by_age] == [
            (D(1), D("100.00"), Term.SHORT),
            (D(5), D("450.00"), Term.UNKNOWN),
        ]

    def test_an_unknown_cost_makes_an_unknown_gain(self):
        book = fold(
            [
                move("in", 0, MovementKind.TRANSFER, "5"),
                sell("s", 10, "2", "50.00"),
                buy("b", 11, "2", "50.00"),
            ]
        )

        (closing,) = book.closings.values()
        assert (closing.basis, closing.gain, closing.disallowed) == (None, None, 0)
        assert lots_of(book) == [(D(3), None), (D(2), D("100.00"))]

    def test_more_sold_than_there_was_is_owed_until_it_is_bought(self):
        owing = [buy("a", 0, "5", "10.00"), sell("s", 1, "8", "12.00")]
        book = fold(owing)
        assert book.quantity_of("AAPL") == D(-3)

        book = fold([*owing, buy("b", 2, "10", "11.00")])

        # 3 of them were sold for 36.00 before they cost 33.00.
        assert lots_of(book) == [(D(7), D("77.00"))]
        last = max(book.closings.values(), key=lambda each: each.closed_at)
        assert (last.quantity, last.proceeds, last.basis) == (D(3), D("36.00"), D("33.00"))

    def test_people_may_take_shares_out(self):
        book = fold(
            [*THREE, move("adjusted", 90, MovementKind.ADJUSTMENT, "-12"), sell("s", 91, "1", "1")]
        )

        assert lots_of(book)[0] == (D(7), D("910.00"))
        assert len(book.closings) == 1


class TestTerms:
    @pytest.mark.parametrize(
        ("bought", "sold", "term"),
        [
            (date(2024, 3, 5), date(2025, 3, 5), Term.SHORT),
            (date(2024, 3, 5), date(2025, 3, 6), Term.LONG),
            (date(2024, 2, 29), date(2025, 2, 28), Term.SHORT),
            (date(2024, 2, 29), date(2025, 3, 1), Term.LONG),
            (date(2024, 2, 28), date(2025, 2, 28), Term.SHORT),
            (date(2024, 2, 28), date(2025, 3, 1), Term.LONG),
            (date(2023, 2, 28), date(2024, 2, 29), Term.SHORT),
            (date(2023, 2, 28), date(2024, 3, 1), Term.LONG),
            (None, date(2024, 3, 1), Term.UNKNOWN),
        ],
    )
    def test_more_than_a_year_is_long(self, bought, sold, term):
        assert term_of(bought, sold) == term

    def test_a_day_is_one_of_new_york(self):
        late = buy("a", 0, "1", "10.00")  # 3 p.m. UTC
        early = sell("s", 366, "1", "9.00")
        midnight = early.at.replace(hour=3)  # still the day before in New York

        book = fold([late, Fill(**{**vars(early), "at": midnight})])

        assert gains_of(book)[0][4] == Term.SHORT
