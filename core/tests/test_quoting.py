"""A vendor's no may be kept only without what it repeats of a person."""

import pytest

from core.vendors.quoting import without_numbers, without_values

BODY = {
    "contact": {
        "email_address": "ada@example.com",
        "phone_number": "+1 415 555 0134",
        "street_address": ["12 Main Street", "c/o Li"],
        "city": "San José",
        "state": "CA",
    },
    "identity": {
        "given_name": "Zoë",
        "family_name": "O'Hara-Stone",
        "date_of_birth": "1971-03-29",
        "tax_id": "612-47-1234",
        "annual_income_min": 30000,
        "permanent_resident": True,
    },
    "content": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("given_name Zoë is not valid", "given_name [hidden] is not valid"),
        ('name "ZOE" does not match', 'name "[hidden]" does not match'),
        ("O'Hara-Stone, Zoë", "O'[hidden], [hidden]"),
        ("Hara-Stone is unknown", "[hidden] is unknown"),
        ("street: 12 Main Street.", "[hidden]: [hidden] [hidden] [hidden]"),
        ("city San Jose, CA", "city [hidden] [hidden], [hidden]"),
        ("phone (415) 555-0134", "phone ([hidden]) [hidden]"),
        ("born 1971-03-29T00:00:00Z", "born [hidden]"),
        ("born 1971-03-29", "born [hidden]"),
        ("c/o Li", "c/o [hidden]"),
        ("income 30000", "income [hidden]"),
        ("content QUJDREVGR0hJSkt…", "content [hidden]"),
        ("content QUJDREVGR0hJSkt is no PDF", "content [hidden] is no PDF"),
        ("tax_id is not a valid SSN", "tax_id is not a valid SSN"),
        ("email address already exists", "email address already exists"),
        ("true is missing, None", "true is missing, None"),
        ("", ""),
    ],
)
def test_what_was_sent_is_blotted_out_and_the_rest_stays(said, kept):
    assert without_values(said, BODY) == kept


def test_numbers_that_nobody_sent_go_as_well():
    said = "tax id 612471234, 612-47-1234, account 000123456789, ada@example.com, R01, 2026"

    assert without_numbers(said) == (
        "tax id [hidden], [hidden], account [hidden], [hidden], R01, 2026"
    )


def test_a_file_hides_what_was_copied_from_it_and_no_short_words():
    content = "QUJDREVG/is+to+be/" * 1000

    said = without_values("it is to be a PDF, not QUJDREVGR", {"content": content + "QUJDREVGR"})

    assert said == "it is to be a PDF, not [hidden]"
