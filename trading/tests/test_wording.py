"""What a customer reads is made from the order itself, and there is one spelling of everything."""

import random
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from core.errors import Invalid
from trading import proposals, wording
from trading.models import Proposal, ProposalLine
from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce
from trading.tickets import LotChoice, Ticket

AT = datetime(2026, 1, 2, 15, 30, 0, 508829, tzinfo=UTC)
HIDDEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202a\u202e\u2066\u2069\u061c\u180e\x00\x1b\U000e0041"
)
LIKE = {"A": "\u0410\u0391\uff21\U0001d400", "P": "\u0420\u03a1\uff30", "L": "\u216c\uff2c"}
LOT = UUID("0190a4c5-0000-7000-8000-000000000002")

BUY_TWO = Ticket(symbol="AAPL", side=Side.BUY, quantity=Decimal(2))


def line_of(ticket, *, value="200.00"):
    line = ProposalLine.of(
        ticket,
        position=1,
        quote_price=Decimal("100.000000000"),
        quote_as_of=AT,
        price_low=Decimal(99),
        price_high=Decimal(101),
        estimated_value=Decimal(value),
    )
    line.user_id = "alice-sub"
    return line


def proposal_of(**columns):
    given = {
        "id": UUID("4d0c7e1d-9733-577f-990c-ed474af3676b"),
        "user_id": "alice-sub",
        "account_id": UUID("01a20820-76c4-70c0-a254-279f5f4201c7"),
        "account_label": "•••• 4471",
        "origin": "AGENT",
        "expires_at": AT,
    }
    return Proposal(**given | columns)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "BUY 2 shares of AAPL at the market price, good for the day"),
        (
            {"order_type": OrderType.LIMIT, "limit_price": Decimal("99.50")},
            "BUY 2 shares of AAPL at $99.50 or better, good for the day",
        ),
        (
            {
                "order_type": OrderType.LIMIT,
                "limit_price": Decimal(99),
                "extended_hours": True,
                "time_in_force": TimeInForce.GTC,
            },
            (
                "BUY 2 shares of AAPL at $99.00 or better, good until canceled,"
                " also outside of regular hours"
            ),
        ),
        (
            {"side": Side.SELL, "order_type": OrderType.STOP, "stop_price": Decimal(90)},
            (
                "SELL 2 shares of AAPL at the market price once the price reaches $90.00,"
                " good for the day"
            ),
        ),
        (
            {
                "order_type": OrderType.STOP_LIMIT,
                "stop_price": Decimal(110),
                "limit_price": Decimal(111),
                "time_in_force": TimeInForce.GTC,
            },
            (
                "BUY 2 shares of AAPL at $111.00 or better once the price reaches $110.00,"
                " good until canceled"
            ),
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "trail_percent": Decimal("1.5000")},
            (
                "BUY 2 shares of AAPL at the market price once it has turned by 1.5 %,"
                " good for the day"
            ),
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "trail_price": Decimal(2)},
            (
                "BUY 2 shares of AAPL at the market price once it has turned by $2.00,"
                " good for the day"
            ),
        ),
        (
            {
                "order_class": OrderClass.BRACKET,
                "take_profit_price": Decimal(120),
                "stop_loss_price": Decimal(90),
                "stop_loss_limit_price": Decimal(89),
            },
            (
                "BUY 2 shares of AAPL at the market price, good for the day,"
                " then sold at $120.00 or better"
                " or at $89.00 or better once the price reaches $90.00"
            ),
        ),
        (
            {
                "side": Side.SELL,
                "order_type": OrderType.LIMIT,
                "order_class": OrderClass.OCO,
                "take_profit_price": Decimal(120),
                "stop_loss_price": Decimal(90),
            },
            (
                "SELL 2 shares of AAPL at $120.00 or better"
                " or at the market price once the price reaches $90.00, whichever comes first,"
                " good for the day"
            ),
        ),
        (
            {"after_hours": AfterHours.QUEUE_FOR_OPEN},
            (
                "BUY 2 shares of AAPL at the market price, good for the day,"
                " kept for the opening while the market is closed"
            ),
        ),
        (
            {"side": Side.SELL, "lots": (LotChoice(lot_id=LOT, quantity=Decimal("1.5")),)},
            (
                "SELL 2 shares of AAPL at the market price, good for the day,"
                " 1.5 of it from lot 0190a4c5"
            ),
        ),
    ],
)
def test_every_kind_of_order_is_said_in_full(changes, said):
    line = line_of(replace(BUY_TWO, **changes))

    assert wording.text_of(proposal_of(), [line]).splitlines()[0] == f"• {said}"


def test_the_text_has_the_bullets_of_the_references_clients():
    text = wording.text_of(proposal_of(warnings=["The price moves fast."]), [line_of(BUY_TWO)])

    assert text == (
        "• BUY 2 shares of AAPL at the market price, good for the day\n"
        "• Current Price: $100.00 on 2026-01-02 at 15:30:00 UTC\n"
        "• Good while the price is $99.00 to $101.00\n"
        "• Estimated Total: BUY $200.00\n"
        "• Trading Account: •••• 4471\n"
        "• Good Until: 2026-01-02 at 15:30:00 UTC\n"
        "• Warning: The price moves fast."
    )


def test_the_summary_that_the_model_hears_names_no_account():
    summary = wording.summary_of(proposal_of(), [line_of(BUY_TWO)])

    assert summary == (
        "BUY 2 shares of AAPL at the market price, good for the day, as long as the price is"
        " $99.00 to $101.00."
    )


def test_equal_numbers_have_equal_hashes_however_they_are_written():
    plain, padded = line_of(BUY_TWO), line_of(replace(BUY_TWO, quantity=Decimal("2.000000000")))

    assert wording.fingerprint_of(proposal_of(), [plain]) == wording.fingerprint_of(
        proposal_of(), [padded]
    )


def test_the_order_of_lines_is_part_of_what_was_shown():
    first, second = line_of(BUY_TWO), line_of(replace(BUY_TWO, symbol="MSFT"))

    assert wording.fingerprint_of(proposal_of(), [first, second]) != wording.fingerprint_of(
        proposal_of(), [second, first]
    )


def test_the_first_version_keeps_its_words_and_its_hash():
    line = line_of(replace(BUY_TWO, quantity=None, notional=Decimal(25)))
    old = proposal_of(version=1)

    assert wording.text_of(old, [line]) == (
        "BUY $25.00 of AAPL at the market price, as long as it is $99.00 to $101.00."
    )
    assert wording.fingerprint_of(old, [line]) == (
        "0e64a157a881373c14cca5de2a69bcb88b9d1c1de0606e34e07e3f0d55932c31"
    )


def spoilt(symbol, chance):
    """Spoil a symbol as somebody would who wants one thing shown and another bought."""
    letters = list(symbol)
    for _ in range(chance.randint(1, 6)):
        letters.insert(chance.randint(0, len(letters)), chance.choice(HIDDEN))
    trick = chance.randint(0, 4)
    if trick == 1:
        place = chance.randrange(len(letters))
        letters[place] = chance.choice(LIKE.get(letters[place], "\u0410"))
    elif trick == 2:
        letters.append(chance.choice("\u0301\ufe0f\u20dd\u115f\u3164"))
    elif trick == 3:
        letters = [chance.choice((str.lower, str.upper))(each) for each in letters]
    return "".join(letters)


def test_five_hundred_hostile_symbols_have_one_spelling_or_none():
    chance = random.Random(7)
    found = [wording.plain_symbol(spoilt("AAPL", chance)) for _ in range(500)]

    assert set(found) == {"AAPL", None}
    assert min(found.count("AAPL"), found.count(None)) > 100
    texts = {
        wording.text_of(proposal_of(), [line_of(replace(BUY_TWO, symbol=symbol))])
        for symbol in found
        if symbol
    }
    assert len(texts) == 1


def test_hostile_sentences_are_shown_without_what_nobody_sees():
    chance = random.Random(8)
    for _ in range(500):
        said = "".join(chance.choice(HIDDEN + "Buy \u2028\u3000\tx") for _ in range(40))
        shown = wording.visible(said)

        assert shown == re.sub(r"\s+", " ", shown).strip()
        assert {unicodedata.category(each) for each in shown} <= {"Lu", "Ll", "Zs"}
        assert wording.visible(shown) == shown


@pytest.mark.parametrize(
    "symbol", ["", " ", "A B", "AAPL;", "AAPL..B", ".AAPL", "AAPL-", "A" * 25, "AAPL\u0301", "ẞ"]
)
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(Invalid):
        proposals.tidied([replace(BUY_TWO, symbol=symbol)])


@pytest.mark.parametrize("symbol", ["aapl", " BRK.B ", "BTC/USD", "\u200bF"])
def test_what_is_one_has_its_own_spelling(symbol):
    (ticket,) = proposals.tidied([replace(BUY_TWO, symbol=symbol)])

    assert ticket.symbol == symbol.strip().strip("\u200b").upper()


def test_warnings_are_said_once_each_and_none_without_end():
    assert wording.sentences(["One.", "One.\u202e", "", "\u200b", "x" * 400]) == ["One.", "x" * 300]
