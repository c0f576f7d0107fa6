"""Whatever the broker writes of a transfer, nothing breaks on it and nothing is called failed."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from accounts.tests.factories import make_account, now
from core.errors import VendorUnavailable
from core.intents.states import IntentState
from core.tests.wires import answer, vendor
from funding.gateways.alpaca import AlpacaFunds
from funding.services import transfer_upkeep
from funding.tests.factories import make_bank
from funding.tests.moving import move, row

pytestmark = pytest.mark.django_db(transaction=True)


def shown(bank, **parts):
    """Show a transfer as the broker does, but for these parts."""
    return {
        "id": str(uuid4()),
        "relationship_id": bank.broker_relationship_id,
        "direction": "INCOMING",
        "amount": "100.00",
        "requested_amount": "100.00",
        "status": "QUEUED",
        "fee": "0",
        "reason": None,
        "created_at": datetime.now(UTC).isoformat(),
        **parts,
    }


@contextmanager
def saying(settings, transfer):
    """Let the broker answer a new transfer with this one, and list it."""
    one, all_of_them = json.dumps(transfer).encode(), json.dumps([transfer]).encode()

    def behave(connection, request):
        body = one if request.startswith(b"POST") else all_of_them
        connection.sendall(answer("200 OK", body))

    with vendor(behave) as (url, _):
        settings.ALPACA_BROKER_URL = url
        yield


UNREADABLE = (
    {"fee": "1e20"},
    {"fee": "1e999999999"},
    {"fee": "-1e15"},
    {"fee": "NaN"},
    {"amount": "1e400", "requested_amount": None},
    {"amount": True, "requested_amount": None},
    {"id": "7" * 65},
    {"id": 7},
)
STRANGE = (
    {"fee": "0.005"},
    {"fee": None},
    {"status": ""},
    {"status": ["QUEUED"]},
    {"status": "S" * 500},
    {"reason": "R" * 5000},
    {"created_at": "tomorrow", "updated_at": "9999-12-31T23:59:59-23:00"},
    {"expires_at": "0001-01-01T00:00:00+14:00"},
)


def a_bank(number):
    return make_bank(make_account(f"user-{number}"))


def test_what_no_row_can_hold_leaves_open_what_has_happened(settings):
    settings.INTENT_LOOK_SECONDS = 0
    for number, parts in enumerate(UNREADABLE):
        bank = a_bank(number)
        with saying(settings, shown(bank, **parts)):
            transfer = move(bank)
            assert transfer.state == IntentState.UNKNOWN, parts

            with pytest.raises(VendorUnavailable):
                AlpacaFunds().list_transfers("somebody")
            transfer_upkeep.sweep_transfers(at=now())

        # Nobody knows as long as the list cannot be read, however often it is looked at.
        assert (row(transfer).state, row(transfer).looks) == (IntentState.UNKNOWN, 0), parts
        with saying(settings, shown(bank)):
            transfer_upkeep.sweep_transfers(at=now())
        assert row(transfer).state == IntentState.ACCEPTED, parts


def test_what_is_only_strange_is_taken_as_far_as_it_goes(settings):
    for number, parts in enumerate(STRANGE):
        bank = a_bank(number)
        with saying(settings, shown(bank, **parts)):
            transfer = move(bank)

        assert transfer.state == IntentState.ACCEPTED, parts
