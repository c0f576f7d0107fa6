"""What was kept of customers before is still readable after a migration."""

import json
from importlib import import_module

import pytest
from django.apps import apps

from accounts import selectors
from accounts.models import BrokerageAccount
from accounts.tests.factories import make_account
from core import crypto
from core.auth import SYSTEM, acting_as
from core.db.sealed import bound_to, open_from

pytestmark = pytest.mark.django_db
widen = import_module("accounts.migrations.0002_identity_and_documents").widen_profiles


def keep(account, profile):
    sealed = crypto.seal(json.dumps(profile).encode(), bound_to=bound_to(account, "sealed_profile"))
    BrokerageAccount.objects.filter(pk=account.pk).update(sealed_profile=sealed)


def test_a_profile_of_names_and_an_address_becomes_the_brokers_sections():
    account = make_account()
    with acting_as(SYSTEM):
        old = {"email": "ada@example.com", "given_name": "Ada", "family_name": "Stone"}
        keep(account, old)

        for _ in range(2):  # a second time changes nothing
            widen(apps, None)

        account.refresh_from_db()
    assert account.person().email == "ada@example.com"
    assert selectors.owner_name_of(account) == "Ada Stone"


def test_a_profile_that_was_erased_stays_erased():
    account = make_account()
    with acting_as(SYSTEM):
        account.forget_person()

        widen(apps, None)

        account.refresh_from_db()
    with pytest.raises(crypto.Unsealable):
        open_from(account, "sealed_profile")
