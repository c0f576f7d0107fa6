import json
from datetime import UTC, datetime

import pytest

from core import realtime
from core.auth import SYSTEM, acting_as
from funding.services import outcomes
from funding.tests.factories import make_bank, make_transfer
from portfolio import selectors
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    account = trading.new_account()
    trading.fund(account, cash="1000.00")
    return account


def test_what_is_on_its_way_is_told_apart_from_the_value_and_by_direction(account):
    bank = make_bank(account)
    make_transfer(bank, amount="250.00", status="QUEUED")
    make_transfer(bank, amount="0.50", status="SENT_TO_CLEARING")
    make_transfer(bank, amount="30.25", direction="OUTGOING", status="QUEUED")
    make_transfer(bank, amount="77.00", status="COMPLETE")
    make_transfer(bank, amount="88.00", direction="OUTGOING", status="CANCELED")

    told = selectors.get_value(principal=SYSTEM, account_id=account.pk, at=datetime.now(UTC))

    assert (told.record["pending_deposits"], told.record["pending_withdrawals"]) == (
        "250.50", "30.25",
    )  # fmt: skip
    assert told.record["total_value"] == "$1000.00"


def test_nothing_of_it_is_seen_by_others(account):
    make_transfer(make_bank(account), amount="250.00", status="QUEUED")

    found = selectors.load_holdings(
        account_ids=[account.pk], at=datetime.now(UTC), principal=trading.customer("mallory")
    )

    assert str(found[account.pk].pending_deposits) == "0"


def test_a_transfers_news_has_the_account_shown_anew(account, django_capture_on_commit_callbacks):
    transfer = make_transfer(make_bank(account), status="QUEUED")
    with realtime.connection().pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(realtime.ACCOUNT_CHANGED)
        heard.get_message(timeout=60)

        with django_capture_on_commit_callbacks(execute=True), acting_as(SYSTEM):
            outcomes.tell(transfer)

        message = heard.get_message(timeout=60) or heard.get_message(timeout=60)
    assert json.loads(message["data"]) == {"account_id": str(account.pk)}
