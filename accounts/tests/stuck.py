"""One account of every kind that somebody may have to do something about, by name."""

from datetime import timedelta

from accounts.gateways import EMAIL_EXISTS
from accounts.models import BrokerageAccount, ContactChange, DocumentUpload
from accounts.services import oversight
from accounts.tests.factories import make_account
from core.auth import SYSTEM, Principal, acting_as
from core.clock import database_now
from core.ids import new_id
from core.intents.states import IntentState
from core.tests.parcels import pass_time

SOMEBODY = Principal.staff(0)  # nobody's number
S = IntentState


def told(name, status, **options):
    """An account of which the broker has told the status, just now."""
    account = make_account(name, status="SUBMITTED", **options)
    with acting_as(SYSTEM):
        account.note_status(status, at=database_now())
    return account


def asked(name, *, status="ACTIVE"):
    account = told(name, status)
    oversight.request_document(
        staff=SOMEBODY, account_id=account.pk, document_type="w8ben", note="Please sign it."
    )
    return account


def applied(name, state, *, vendor_status=""):
    """An application that the broker has not answered, or has refused."""
    account = make_account(name)
    with acting_as(SYSTEM):
        BrokerageAccount.objects.filter(pk=account.pk).update(
            state=state, vendor_status=vendor_status, broker_account_id="", account_number=""
        )
    return account


def changing(name, state, *, vendor_status=""):
    account = told(name, "ACTIVE")
    with acting_as(SYSTEM):
        change = ContactChange.submit(
            account, {"contact": {"city": "Oakland"}}, pk=new_id(), at=database_now()
        )
        ContactChange.objects.filter(pk=change.pk).update(state=state, vendor_status=vendor_status)
    return account


def uploading(name):
    account = told(name, "ACTIVE")
    with acting_as(SYSTEM):
        upload = DocumentUpload.submit(
            account,
            b"a passport",
            document_type="identity_verification",
            document_sub_type="",
            mime_type="image/png",
            request=None,
            pk=new_id(),
            at=database_now(),
        )
        DocumentUpload.objects.filter(pk=upload.pk).update(state=S.UNKNOWN)
    return account


def frozen(name):
    account = told(name, "ACTIVE")
    oversight.freeze(staff=SOMEBODY, account_id=account.pk, reason="Odd logins.", at=database_now())
    return account


def one_of_each():
    """Make the slow ones first, and let four days pass."""
    told("slow-customer", "ACTION_REQUIRED")
    told("slow-broker", "SUBMITTED")
    asked("slow-request")
    pass_time(int(timedelta(days=4).total_seconds()))
    told("active", "ACTIVE")
    told("customer", "ACTION_REQUIRED")
    told("unfinished", "INACTIVE")
    told("broker", "APPROVED")
    told("strange", "SOMETHING_NEW")
    told("closed", "ACCOUNT_CLOSED")
    told("disabled", "DISABLED")
    asked("request")
    frozen("frozen")
    uploading("uploading")
    changing("changing", S.UNKNOWN)
    changing("taken", S.REJECTED, vendor_status=EMAIL_EXISTS)
    again = changing("mended", S.REJECTED, vendor_status=EMAIL_EXISTS)
    with acting_as(SYSTEM):
        later = ContactChange.submit(
            again, {"contact": {"city": "Napa"}}, pk=new_id(), at=database_now()
        )
        ContactChange.objects.filter(pk=later.pk).update(state=S.ACCEPTED)
    applied("review", S.NEEDS_REVIEW)
    applied("unknown", S.UNKNOWN)
    applied("pending", S.PENDING)
    applied("refused", S.REJECTED)
    applied("address", S.REJECTED, vendor_status=EMAIL_EXISTS)
    applied("anew", S.REJECTED, vendor_status=EMAIL_EXISTS)
    told("anew", "ACTIVE")
