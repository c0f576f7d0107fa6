"""An account's whole life at a real broker in pretence, over HTTP, with its every ending."""

import base64
from datetime import UTC, datetime

import pytest

from accounts import states
from accounts.gateways import get_brokerage
from accounts.models import BrokerageAccount, ContactChange, DocumentUpload
from accounts.services import (
    AccountOver,
    Document,
    DocumentRefused,
    apply_events,
    change_contact,
    heal_accounts,
    list_statements,
    open_account,
    read_statement,
    refresh_accounts,
    sweep_changes,
    sweep_documents,
    upload_document,
)
from accounts.tests.factories import application, customer
from accounts.tests.test_faults import ENDINGS, keep_events
from core.auth import SYSTEM, acting_as
from core.errors import NotFound
from core.intents.models import IntentStep
from core.tests.parcels import pass_time

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
PASSPORT = Document(
    document_type="identity_verification",
    document_sub_type="passport",
    mime_type="image/png",
    content=PNG,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _looks_at_once(settings):
    settings.INTENT_LOOK_SECONDS = 0


@pytest.fixture
def ada():
    return customer("ada")


def now():
    return datetime.now(UTC)


def opened(sandbox, principal, seconds=5):
    account = open_account(principal=principal, application=application(), request=None, at=now())
    sandbox.advance(seconds)
    keep_events()
    apply_events()
    return row(account)


def row(thing):
    with acting_as(SYSTEM):
        return type(thing).objects.get(pk=thing.pk)


def news(sandbox, account, status, **more):
    sandbox.control(
        "POST", f"/accounts/{account.broker_account_id}/status", {"status": status, **more}
    )
    keep_events()
    apply_events()


def upload(principal, account, document=PASSPORT):
    return upload_document(
        principal=principal, account_id=account.pk, document=document, request=None, at=now()
    )


def change(principal, account, **contact):
    return change_contact(
        principal=principal,
        account_id=account.pk,
        changes={"contact": contact},
        request=None,
        at=now(),
    )


def test_a_missing_document_is_named_handed_in_and_the_account_becomes_active(sandbox, ada):
    sandbox.fault(kind="action_required", vendor="alpaca_broker")
    account = opened(sandbox, ada)
    assert account.vendor_status == "ACTION_REQUIRED"
    assert account.requirements == ["IDENTITY_VERIFICATION"]
    assert not account.is_tradable

    made = upload(ada, account)
    sandbox.advance(5)
    keep_events()
    apply_events()

    account = row(account)
    assert made.state == "ACCEPTED"
    assert (account.vendor_status, account.requirements) == ("ACTIVE", [])
    assert account.is_tradable
    with acting_as(SYSTEM):
        steps = IntentStep.objects.filter(intent_id=account.pk).order_by("id")
        told = [step.vendor_status for step in steps if step.from_state == step.to_state]
    assert told == ["ACTION_REQUIRED", "APPROVED", "ACTIVE"]


def test_every_status_of_the_broker_is_followed_and_only_active_trades(sandbox, ada):
    account = opened(sandbox, ada)

    for status in sorted(states.KNOWN):
        sandbox.control("POST", f"/accounts/{account.broker_account_id}/status", {"status": status})
        keep_events()
        apply_events()

        assert row(account).vendor_status == status
        assert row(account).is_tradable is (status == "ACTIVE")


def test_a_status_that_nobody_knows_is_kept_and_opens_nothing(sandbox, ada):
    account = opened(sandbox, ada)

    news(sandbox, account, "QUANTUM_REVIEW")

    assert row(account).vendor_status == "QUANTUM_REVIEW"
    assert not row(account).is_tradable


def test_after_a_refusal_the_customer_may_apply_again(sandbox, ada):
    sandbox.fault(kind="reject_account", vendor="alpaca_broker")
    account = opened(sandbox, ada)
    assert account.is_over

    again = open_account(principal=ada, application=application(), request=None, at=now())

    assert again.is_accepted
    with pytest.raises(AccountOver):
        change(ada, account, city="Oakland")


def test_lost_news_of_an_account_at_rest_are_found_by_healing(sandbox, ada):
    account = opened(sandbox, ada)
    assert refresh_accounts(at=now()) == 1
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/status", {"status": "DISABLED"})
    assert refresh_accounts(at=now()) == 0  # it rests, so nobody asks

    assert heal_accounts() == 1
    refresh_accounts(at=now())

    assert row(account).vendor_status == "DISABLED"
    keep_events()  # the event comes after all, and tells nothing new
    apply_events()
    assert row(account).vendor_status == "DISABLED"


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "not-accepted"])
def test_a_change_that_ends_badly_is_never_lost_nor_called_what_it_is_not(
    sandbox, ada, ending, accepted
):
    account = opened(sandbox, ada)
    sandbox.fault(**ending, vendor="alpaca_broker", method="PATCH", accepted=accepted, seconds=2)

    made = change(ada, account, city="Oakland")
    sandbox.hangs_no_more()
    for _ in range(3):
        sweep_changes(at=now())

    shown = get_brokerage().get_account(account.broker_account_id).sections["contact"]["city"]
    with acting_as(SYSTEM):
        settled = ContactChange.objects.get(pk=made.pk)
    assert shown == ("Oakland" if accepted else "San Francisco")
    assert settled.state == ("ACCEPTED" if accepted else "REJECTED")
    assert row(account).person().contact["city"] == shown


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "not-accepted"])
def test_a_document_reaches_the_broker_at_most_once(sandbox, ada, ending, accepted):
    account = opened(sandbox, ada)
    sandbox.fault(
        **ending, vendor="alpaca_broker", path="documents/upload", accepted=accepted, seconds=2
    )

    made = upload(ada, account)
    sandbox.hangs_no_more()
    for _ in range(4):
        sweep_documents(at=now())

    kept = get_brokerage().get_account(account.broker_account_id).documents
    with acting_as(SYSTEM):
        settled = DocumentUpload.objects.get(pk=made.pk)
    assert len(kept) == (1 if accepted else 0)
    assert settled.state == ("ACCEPTED" if accepted else "NEEDS_REVIEW")


def test_a_broken_connection_before_sending_is_tried_again(sandbox, ada, settings):
    account = opened(sandbox, ada)
    good = settings.ALPACA_BROKER_URL
    settings.ALPACA_BROKER_URL = "http://127.0.0.1:9"
    waiting = change(ada, account, city="Oakland")
    assert waiting.state == "PENDING"

    settings.ALPACA_BROKER_URL = good
    pass_time(10)
    sweep_changes(at=now())

    assert row(waiting).state == "ACCEPTED"


def test_the_broker_refuses_what_it_cannot_read(sandbox, ada):
    account = opened(sandbox, ada)

    with pytest.raises(DocumentRefused):
        upload(ada, account, Document("w8ben", "image/gif", b"GIF89a"))


def test_statements_are_listed_and_fetched_from_where_the_broker_keeps_them(sandbox, ada):
    account = opened(sandbox, ada)
    sandbox.control(
        "POST", f"/accounts/{account.broker_account_id}/seed", {"cash": "5", "months": 3}
    )

    found = list_statements(principal=ada, account_id=account.pk, filters={})

    assert found
    file = read_statement(principal=ada, account_id=account.pk, document_id=found[0].document_id)
    assert (file.mime_type, file.content[:5]) == ("application/pdf", b"%PDF-")
    with pytest.raises(NotFound):
        read_statement(principal=ada, account_id=account.pk, document_id="../../accounts")


def test_an_application_with_documents_reaches_the_broker_whole(sandbox, ada):
    form = application()
    more = {
        "documents": [
            {
                "document_type": "identity_verification",
                "document_sub_type": "passport",
                "content": base64.b64encode(PNG).decode(),
                "mime_type": "image/png",
            }
        ],
        "trusted_contact": {
            "given_name": "Bea",
            "family_name": "Stone",
            "email_address": "bea@example.com",
        },
    }
    account = open_account(
        principal=ada,
        application=type(form)(
            form.contact, form.identity, form.disclosures, form.agreements, more
        ),
        request=None,
        at=now(),
    )

    shown = get_brokerage().get_account(account.broker_account_id)
    assert [document.document_type for document in shown.documents] == ["identity_verification"]
    assert shown.sections["trusted_contact"]["given_name"] == "Bea"
    with acting_as(SYSTEM):
        kept = BrokerageAccount.objects.get(pk=account.pk).person()
    assert kept.trusted_contact == more["trusted_contact"]
