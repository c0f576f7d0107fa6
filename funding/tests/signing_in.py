"""What tests of signing in to a bank do: open a page, bring a token, let time pass, look."""

from rest_framework.test import APIClient

from accounts.tests.factories import customer, now
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding.models import AchRelationship, LinkSession, PlaidItem
from funding.services import bank_upkeep, linking
from funding.services import links as pages

REDIRECT = "https://app.example.com/callback"
AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")


class Killed(BaseException):
    """The process has died here."""


def page(account, **more):
    return pages.create_link(
        principal=customer(account.user_id),
        account_id=account.pk,
        redirect_uri=REDIRECT,
        **more,
    )


def bring(account, token, *, plaid_account_id=""):
    return linking.process_token(
        principal=customer(account.user_id),
        account_id=account.pk,
        public_token=token,
        plaid_account_id=plaid_account_id,
        request=None,
        at=now(),
    )


def sweep(times=1, *, after=6):
    for _ in range(times):
        pass_time(after)
        bank_upkeep.sweep_relationships(at=now())
        linking.sweep_links(at=now())


def session_of(account):
    with acting_as(SYSTEM):
        return LinkSession.objects.filter(account_id=account.pk).latest("created_at")


def items_of(account):
    with acting_as(SYSTEM):
        return list(PlaidItem.objects.filter(account_id=account.pk).order_by("pk"))


def banks_of(account):
    with acting_as(SYSTEM):
        return list(AchRelationship.objects.filter(account_id=account.pk).order_by("pk"))


def kinds_of(account):
    client = APIClient()
    client.force_authenticate(user=customer(account.user_id))
    events = client.get(f"/api/account/{account.pk}/events").json()["events"]
    return [event["kind"] for event in events]
