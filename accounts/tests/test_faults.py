"""Real clients, a real broker in pretence, and everything that can go wrong between them."""

from datetime import UTC, datetime

import pytest

from accounts import services
from accounts.gateways import get_brokerage
from accounts.models import BrokerageAccount
from accounts.tests.factories import application, customer
from core import inbox
from core.auth import SYSTEM, acting_as
from core.feeds import VendorEvent

pytestmark = pytest.mark.django_db(transaction=True)

# How a call may end badly, whether or not the broker has done its part.
ENDINGS = (
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 500},
    {"kind": "garbage"},
    {"kind": "garbage", "variant": "html"},
)


@pytest.fixture(autouse=True)
def _looks_at_once(settings):
    settings.INTENT_LOOK_SECONDS = 0


def now():
    return datetime.now(UTC)


def open_account(email=""):
    return services.open_account(
        principal=customer(), application=application(email), request=None, at=now()
    )


def reread(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def keep_events():
    """Read the broker's stream up to its first pause, as the follower does."""
    pauses = 0
    with get_brokerage().status_feed().open(inbox.position_of(services.SOURCE)) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                inbox.receive(services.SOURCE, item.position, item.payload, cursor=item.position)
            pauses += item is None
            if pauses == 2:  # the first is the greeting
                return


def test_an_account_becomes_active_by_the_brokers_events(sandbox):
    account = open_account()
    assert (account.state, account.vendor_status) == ("ACCEPTED", "SUBMITTED")

    sandbox.advance(5)
    keep_events()
    services.apply_events()

    assert reread(account).is_tradable is True
    assert reread(account).account_number == account.account_number


@pytest.mark.parametrize(
    ("fault", "status"),
    [("reject_account", "REJECTED"), ("action_required", "ACTION_REQUIRED")],
)
def test_an_account_may_end_elsewhere(sandbox, fault, status):
    sandbox.fault(kind=fault, vendor="alpaca_broker")
    account = open_account()

    sandbox.advance(5)
    keep_events()
    services.apply_events()

    assert reread(account).vendor_status == status
    assert reread(account).is_tradable is False


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
@pytest.mark.parametrize("is_accepted", [True, False])
def test_an_application_arrives_at_most_once_whatever_happens_to_its_answer(
    sandbox, ending, is_accepted
):
    sandbox.fault(
        **ending, accepted=is_accepted, vendor="alpaca_broker", method="POST", path="/accounts$"
    )

    account = open_account()
    assert (account.state, account.sealed_payload) == ("UNKNOWN", None)
    sandbox.hangs_no_more()
    for _ in range(4):
        services.sweep_applications(at=now())

    effects = sandbox.effects("account.created")
    assert len(effects) == int(is_accepted)
    assert reread(account).state == ("ACCEPTED" if is_accepted else "NEEDS_REVIEW")
    assert reread(account).broker_account_id == "".join(e["vendor_id"] for e in effects)


def test_an_address_the_broker_knows_is_a_conflict(sandbox):
    first = open_account("ada@example.com")
    with acting_as(SYSTEM):  # closed here, still known there
        BrokerageAccount.objects.filter(pk=first.pk).update(vendor_status="ACCOUNT_CLOSED")

    with pytest.raises(services.EmailExists):
        open_account("ADA@example.com")

    assert len(sandbox.effects("account.created")) == 1


def test_no_secret_of_an_applicant_is_left_in_our_tables_or_logs(sandbox, caplog):
    account = open_account("ada@example.com")

    kept = b" ".join(
        value if isinstance(value, bytes) else str(value).encode()
        for value in reread(account).__dict__.values()
    )
    for secret in ("123-45-6789", "123456789", "ada@example.com", "Stone"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
