"""Serializer fields: one spelling each, and exact on the way out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.serializers import Serializer, ValidationError

from core import exact_json
from core.api.fields import (
    MoneyField,
    PriceField,
    QuantityField,
    ReferenceMoney,
    StrictBooleanField,
    StrictCharField,
    StrictEmailField,
    StrictListField,
    StrictSerializer,
)
from core.money import Money, NotAnAmount, Price, Quantity
from core.tests.test_money import NOT_AMOUNTS

ODD_VALUES = [True, False, 1.0, 0.1, None, [], {}, ["1"], {"a": 1}, b"1", -1, Decimal("-0.01"),
              Decimal("1E+2"), Decimal("NaN"), Decimal("0.001"), 10**12, "0", 0]  # fmt: skip


def codes(refused) -> list[str]:
    return [detail.code for detail in refused.value.detail]


class TestMoneyFields:
    @pytest.mark.parametrize("field", [MoneyField, ReferenceMoney])
    @pytest.mark.parametrize("value", [*NOT_AMOUNTS, *ODD_VALUES])
    def test_refuse_every_spelling_but_plain_digits(self, field, value):
        with pytest.raises(ValidationError):
            field().run_validation(value)

    @pytest.mark.parametrize("value", ["100", "100.0", "100.00", 100, Decimal("100.00")])
    def test_read_equal_amounts_as_the_same_decimal(self, value):
        assert str(MoneyField().run_validation(value)) == "100.00"

    @given(st.integers(min_value=1, max_value=10**14 - 1))
    def test_round_trip_through_json_as_the_same_text(self, cents):
        text = str(Money(Decimal(cents).scaleb(-2)))
        as_number = exact_json.loads(f'{{"a":{text}}}')["a"]
        for sent in (text, as_number):
            amount = MoneyField().run_validation(sent)
            assert MoneyField().to_representation(amount) == text
            answered = exact_json.dumps(ReferenceMoney().to_representation(amount))
            assert answered == text

    def test_hold_to_their_limits(self):
        field = MoneyField(minimum=Decimal("1.00"), maximum=Decimal("50.00"))
        assert [str(field.run_validation(v)) for v in ("1", "50.00")] == ["1.00", "50.00"]
        with pytest.raises(ValidationError, match=r"Must be at least 1\.00") as refused:
            field.run_validation("0.99")
        assert codes(refused) == ["min"]
        with pytest.raises(ValidationError, match=r"Must be at most 50\.00") as refused:
            field.run_validation("50.01")
        assert codes(refused) == ["max"]

    def test_take_zero_only_where_it_is_allowed(self):
        assert MoneyField(allow_zero=True).run_validation("0") == Decimal("0.00")
        with pytest.raises(ValidationError, match="more than zero"):
            MoneyField().run_validation("0")

    def test_refuse_to_round_on_the_way_out(self):
        with pytest.raises(NotAnAmount):
            MoneyField().to_representation(Decimal("0.005"))
        assert MoneyField().to_representation(Decimal("-5.5")) == "-5.50"

    def test_read_quantities_with_nine_places_and_prices_with_four(self):
        assert str(QuantityField().run_validation("0.000000001")) == "1E-9"
        assert QuantityField().to_representation(Decimal("1.500000000")) == "1.5"
        assert QuantityField().to_representation(Quantity(2)) == "2"
        assert PriceField().to_representation(Decimal("189.870000000")) == "189.87"
        assert PriceField().to_representation(Price(1)) == "1.00"
        assert str(PriceField(places=9).run_validation("0.000012345")) == "0.000012345"
        for field, value in ((QuantityField(), "0.0000000001"), (PriceField(), "0.00001")):
            with pytest.raises(ValidationError):
                field.run_validation(value)


class TestStrictCharField:
    @pytest.mark.parametrize(
        "text",
        ["a\x00b", "a\x1bb", "a\nb", "a\tb", "a\u200bb", "a\u202eb", "a\u2066b", "\ufeffa",
         "a\u2028b", "a\ud800b", "a\ue000b", "a\x7fb", "a\u00adb", "\u200b", "a\n"],
    )  # fmt: skip
    def test_refuses_characters_that_hide_or_reorder(self, text):
        with pytest.raises(ValidationError) as refused:
            StrictCharField().run_validation(text)
        assert codes(refused) == ["characters"]

    @pytest.mark.parametrize("value", [1, 1.5, Decimal(1), True, [], {}])
    def test_refuses_what_is_not_text(self, value):
        with pytest.raises(ValidationError):
            StrictCharField().run_validation(value)

    def test_composes_and_then_measures(self):
        field = StrictCharField(max_length=4)
        assert field.run_validation("Zoe\u0301") == "Zo\u00e9"
        assert field.run_validation("Jos\u00e9") == "Jos\u00e9"

    def test_refuses_piles_of_combining_marks(self):
        with pytest.raises(ValidationError) as refused:
            StrictCharField().run_validation("x" + "\u0335" * 100_000)
        assert codes(refused) == ["marks"]

    def test_lets_prose_have_lines_and_joined_emoji(self):
        text = "Hi!\n\tمی\u200cخواهم \U0001f468\u200d\U0001f469\u200d\U0001f467"
        assert StrictCharField(multiline=True, prose=True).run_validation(text) == text
        with pytest.raises(ValidationError):
            StrictCharField(multiline=True, prose=True).run_validation("a\u202eb")


class TestStrictBooleanField:
    @pytest.mark.parametrize("value", [1, 0, "true", "yes", "on", "", None, [], {}, Decimal(1)])
    def test_refuses_what_only_looks_true(self, value):
        with pytest.raises(ValidationError):
            StrictBooleanField().run_validation(value)

    def test_takes_true_and_false(self):
        assert [StrictBooleanField().run_validation(v) for v in (True, False)] == [True, False]


class Inner(StrictSerializer):
    name = StrictCharField()


class Outer(StrictSerializer):
    inner = Inner()
    amount = MoneyField()
    id = StrictCharField(read_only=True)


class Reference(Outer):
    ignores_unknown = True


class TestStrictSerializer:
    def test_refuses_keys_it_does_not_know_on_every_level(self):
        body = Outer(data={"inner": {"name": "a", "nmae": "b"}, "amuont": "1", "id": "x"})
        assert not body.is_valid()
        unknown = ["This field is not known."]
        assert body.errors == {
            "inner": {"nmae": unknown},
            "amount": ["This field is required."],
            "amuont": unknown,
            "id": unknown,
        }

    def test_refuses_them_when_all_else_is_valid(self):
        body = Outer(data={"inner": {"name": "a"}, "amount": "1", "x": 1})
        assert not body.is_valid()
        assert set(body.errors) == {"x"}

    def test_does_not_echo_unreadable_keys_nor_all_of_many(self):
        body = Outer(data={f"key {n}": 1 for n in range(1000)})
        assert not body.is_valid()
        assert set(body.errors) == {"inner", "amount", "(unreadable key)"}

    def test_lets_reference_shapes_carry_more(self):
        body = Reference(data={"inner": {"name": "a"}, "amount": 1, "x": 1})
        assert body.is_valid()
        assert dict(body.validated_data) == {"inner": {"name": "a"}, "amount": Decimal("1.00")}

    @pytest.mark.parametrize("data", [None, [], "x", 1])
    def test_refuses_what_is_not_an_object(self, data):
        assert not Outer(data=data).is_valid()


class TestEmail:
    @pytest.mark.parametrize(
        "address",
        [
            "\u017fam@example.com",  # becomes an s in lower case
            '"\x01"@example.com',
            '"ada"@example.com',
            "ada@exam\u200bple.com",
            "ada@exam\u202eple.com",
            "ada@exa\u0308mple.com",
            "ada@ex\xe4mple.com",
            "ada@example.com\n",
            "ada@example",
            "a b@example.com",
            5,
            None,
        ],
    )
    def test_has_one_spelling(self, address):
        with pytest.raises(ValidationError):
            StrictEmailField().run_validation(address)

    @pytest.mark.parametrize(
        "address",
        ["ada@example.com", "Ada.B+tag@Example.com", "ada@xn--exmple-cua.com", "a'b@x-y.io"],
    )
    def test_is_kept_as_it_was_written(self, address):
        assert StrictEmailField().run_validation(address) == address

    def test_says_how_to_write_it(self):
        with pytest.raises(ValidationError, match="such as ada@"):
            StrictEmailField().run_validation("ada.example.com")
        with pytest.raises(ValidationError, match="as xn--"):
            StrictEmailField().run_validation("ada@ex\xe4mple.com")


class TestList:
    def test_is_measured_before_its_items_are_looked_at(self):
        class Seen(Serializer):
            def to_internal_value(self, data):
                raise AssertionError("An item was looked at.")

        with pytest.raises(ValidationError) as refused:
            StrictListField(child=Seen(), max_length=2).run_validation([{}] * 3)

        assert codes(refused) == ["max_length"]

    def test_takes_as_many_as_it_says(self):
        field = StrictListField(child=StrictCharField(), max_length=2)
        assert field.run_validation(["a", "b"]) == ["a", "b"]
