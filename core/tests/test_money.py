"""The value types of money: exact, closed, and deaf to floats."""

import decimal
import threading
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money, NotAnAmount, Price, Quantity, Unrounded, install_decimal_traps

CENTS = st.integers(min_value=-(10**13), max_value=10**13)
NANOS = st.integers(min_value=0, max_value=10**20)

NOT_AMOUNTS = [
    "", " ", "1 ", " 1", "1\n", "+1", "-1", "-0", "1.", ".5", "1_0", "1e2", "1E400", "0x1", "1,5",
    "1.234", "NaN", "nan", "Infinity", "inf", "١٢", "１２", "1٫5", "1.٢", "½", "²", "1.2.3",
    "1234567890123", "1.00000000000", "$1", "1\u200b", "\u22121", "1\x00", "true",
]  # fmt: skip


def money(cents: int) -> Money:
    return Money(Decimal(cents).scaleb(-2))


class TestParse:
    @pytest.mark.parametrize("text", NOT_AMOUNTS)
    def test_refuses_what_is_not_plain_digits(self, text):
        with pytest.raises(NotAnAmount):
            Money.parse(text)

    @pytest.mark.parametrize("value", [1.0, 1, True, None, b"1", Decimal(1), ["1"]])
    def test_refuses_what_is_not_text(self, value):
        with pytest.raises(NotAnAmount):
            Money.parse(value)

    @pytest.mark.parametrize(
        ("text", "written"),
        [("0", "0.00"), ("100", "100.00"), ("100.5", "100.50"), ("007.10", "7.10")],
    )
    def test_writes_money_with_two_places(self, text, written):
        assert str(Money.parse(text)) == written

    def test_quotes_stocks_with_four_places_and_crypto_with_nine(self):
        assert str(Price.parse("189.8700")) == "189.87"
        assert str(Price.parse("0.000012345", places=9)) == "0.000012345"
        with pytest.raises(NotAnAmount):
            Price.parse("0.00001")

    def test_writes_quantities_without_needless_zeros_or_exponent(self):
        assert str(Quantity.parse("1000.500000000")) == "1000.5"
        assert str(Quantity.parse("0.000000001")) == "0.000000001"
        assert str(Quantity(Decimal("1E+3"))) == "1000"

    @given(st.integers(min_value=0, max_value=10**14 - 1))
    def test_reads_back_what_it_wrote(self, cents):
        amount = money(cents)
        assert Money.parse(str(amount)) == amount
        assert str(Money.parse(str(amount))) == str(amount)


class TestConstruction:
    @pytest.mark.parametrize("kind", [Money, Price, Quantity])
    @pytest.mark.parametrize(
        "value",
        [0.1, True, "1", None, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
         Decimal("1e400"), Decimal(10) ** 15, Decimal("0.0000000001")],
    )  # fmt: skip
    def test_refuses_what_is_not_an_exact_finite_number(self, kind, value):
        with pytest.raises(NotAnAmount):
            kind(value)

    def test_refuses_a_fraction_of_a_cent_instead_of_rounding_it(self):
        with pytest.raises(NotAnAmount):
            Money(Decimal("0.005"))

    def test_refuses_a_negative_price(self):
        with pytest.raises(NotAnAmount):
            Price(Decimal("-0.01"))

    def test_has_no_negative_zero(self):
        assert str(-Money(0)) == "0.00"
        assert str(Money(Decimal("-0.00"))) == "0.00"

    def test_is_equal_and_hashes_equal_however_it_was_written(self):
        assert Money(Decimal("1.50")) == Money(Decimal("1.5"))
        assert len({Quantity(Decimal("1.0")), Quantity(1)}) == 1

    def test_cannot_be_changed(self):
        with pytest.raises(AttributeError):
            Money(1).amount = Decimal(2)


class TestArithmetic:
    @given(CENTS, CENTS)
    def test_adds_and_subtracts_exactly(self, left, right):
        assert money(left) + money(right) == money(left + right)
        assert money(left) - money(right) == money(left - right)
        assert abs(money(left)) == money(abs(left))

    @given(CENTS, st.integers(min_value=-1000, max_value=1000))
    def test_multiplies_by_whole_numbers_only(self, cents, count):
        if abs(cents * count) < 10**17:
            assert money(cents) * count == money(cents * count)
        with pytest.raises(TypeError):
            money(cents) * 1.5

    @given(NANOS, NANOS)
    def test_multiplies_a_quantity_by_a_price_without_losing_a_digit(self, quantity, price):
        product = Quantity(Decimal(quantity).scaleb(-9)) * Price(Decimal(price).scaleb(-9))
        assert Fraction(product.amount) == Fraction(quantity * price, 10**18)

    @given(st.lists(NANOS.map(lambda n: Decimal(n % 10**15).scaleb(-9)), max_size=30))
    def test_rounds_a_sum_once_and_half_to_even(self, amounts):
        total = sum((Unrounded(amount) for amount in amounts), Unrounded(Decimal(0)))
        exact = sum((Fraction(amount) for amount in amounts), Fraction(0))
        assert total.to_money() == money(round(exact * 100))

    @pytest.mark.parametrize(
        ("unrounded", "rounded"),
        [("0.005", "0.00"), ("0.015", "0.02"), ("0.0250000001", "0.03"), ("-0.005", "0.00")],
    )
    def test_rounds_half_to_even(self, unrounded, rounded):
        assert str(Unrounded(Decimal(unrounded)).to_money()) == rounded

    def test_keeps_nine_places_for_intermediate_columns(self):
        third = Quantity.parse("0.333333333") * Price.parse("0.3333")
        assert third.to_nine_places() == Decimal("0.111100000")

    @pytest.mark.parametrize("other", [Price(1), Quantity(1), Decimal(1), 1, 1.0, "1"])
    def test_does_not_mix_with_other_kinds(self, other):
        with pytest.raises(TypeError):
            Money(1) + other
        with pytest.raises(TypeError):
            Money(1) < other  # noqa: B015
        assert Money(1) != other

    @pytest.mark.parametrize("value", [1.5, 1, "1", Decimal("NaN")])
    def test_rounds_only_finite_decimals(self, value):
        with pytest.raises(NotAnAmount):
            Money.rounded(value)


class TestTraps:
    def test_float_operations_raise_here_and_in_new_threads(self):
        install_decimal_traps()
        seen = []

        def try_it():
            try:
                Decimal(0.1)  # noqa: RUF032 - the mistake that is meant
            except decimal.FloatOperation:
                seen.append("refused")

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        try_it()
        assert seen == ["refused", "refused"]
        with pytest.raises(decimal.FloatOperation):
            Decimal(1) < 0.5  # noqa: B015
