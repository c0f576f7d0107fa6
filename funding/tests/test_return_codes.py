"""The network's codes are found in the broker's words, and explained."""

import pytest

from funding import return_codes


class TestCodes:
    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("R01: insufficient funds", "R01"),
            ("returned (R10)", "R10"),
            ("ach_r29", "R29"),
            ("r85", "R85"),
            ("code R16.", "R16"),
            ("", ""),
            ("R00", ""),
            ("R86", ""),
            ("R1", ""),
            ("R011", ""),
            ("CAR01", ""),
            ("insufficient funds", ""),
        ],
    )
    def test_are_read_out_of_the_brokers_words(self, reason, code):
        assert return_codes.read_code(reason) == code

    def test_all_have_words_for_customer_and_operator(self):
        for code, explained in return_codes.CODES.items():
            assert return_codes.read_code(code) == code == explained.code
            assert explained.meaning.endswith(".")
            assert explained.advice.endswith(".")

    def test_those_that_end_a_bank_are_the_ones_agreed_on(self):
        assert {"R02", "R03", "R04", "R05", "R07", "R10", "R16", "R20", "R29"} == (
            return_codes.ENDS_BANK
        )

    def test_one_that_nobody_knows_is_explained_as_such(self):
        assert return_codes.explain("R48").code == "R48"
        assert return_codes.explain("R48").ends_bank is False
        assert "without a reason" in return_codes.explain("").meaning
