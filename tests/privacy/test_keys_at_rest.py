"""The keys of everything that rests sealed in the product's own tables are rotated together."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.test import Client

from accounts.models import ContactChange, DocumentUpload
from accounts.tests.factories import make_account
from core import crypto, resealing
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.db.sealed import SealedColumn, open_from, seal_into
from core.ids import new_id
from core.tests.staff_people import SECRET, code, enrolled, member
from funding.tests.factories import make_bank

OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("k1", "k2"))
Held = list[tuple[models.Model, str, bytes]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(settings: Any) -> Held:
    """A row for each sealed column that carries personal data, sealed with the old key."""
    settings.FIELD_KEYS = [OLD, *settings.FIELD_KEYS]
    at = database_now()
    account = make_account("ada")
    person = open_from(account, "sealed_profile")
    bank = make_bank(account)
    with acting_as(SYSTEM):
        change = ContactChange.submit(account, {"contact": {"city": "Oakland"}}, pk=new_id(), at=at)
        upload = DocumentUpload.submit(
            account,
            b"%PDF-1.7 a passport",
            document_type="identity_verification",
            document_sub_type="passport",
            mime_type="application/pdf",
            request=None,
            pk=new_id(),
            at=at,
        )
        for row, secret in ((account, b"an application"), (bank, b"a bank")):
            row.seal_payload(secret, at=at)
            row.save()
    return [
        (account, "sealed_profile", person),
        (account, "sealed_payload", b"an application"),
        (change, "sealed_payload", b'{"contact": {"city": "Oakland"}}'),
        (upload, "sealed_payload", b"%PDF-1.7 a passport"),
        (bank, "sealed_payload", b"a bank"),
        (enrolled(member("grace", "operator")), "sealed_key", SECRET),
    ]


def again(row: models.Model) -> models.Model:
    with acting_as(SYSTEM):
        return type(row)._default_manager.get(pk=row.pk)


def test_profiles_waiting_payloads_and_second_factors_open_with_the_new_key_alone(
    held: Held, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]

    call_command("rotate_field_keys")

    assert "k1 seals nothing: take it out of FIELD_KEYS now." in capsys.readouterr().out
    settings.FIELD_KEYS = [NEW]
    assert [open_from(again(row), column) for row, column, _ in held] == [
        plain for _, _, plain in held
    ]
    device = next(row for row, column, _ in held if column == "sealed_key")
    assert again(device).verify_token(code())  # type: ignore[attr-defined]


def test_every_sealed_column_of_the_product_is_found() -> None:
    sealed = {
        f"{model._meta.db_table}.{column.column}"
        for model in apps.get_models()
        if model.__module__.split(".")[1] != "tests"
        for column in model._meta.local_concrete_fields
        if isinstance(column, SealedColumn)
    }

    assert {
        "accounts_brokerageaccount.sealed_payload",
        "accounts_brokerageaccount.sealed_profile",
        "accounts_contactchange.sealed_payload",
        "accounts_documentupload.sealed_payload",
        "core_staffdevice.sealed_key",
        "funding_achrelationship.sealed_payload",
    } <= sealed
    assert sealed <= {str(place) for place in resealing.places()}


@pytest.mark.parametrize("make", [make_account, make_bank])
def test_the_bytes_of_one_row_do_not_open_in_another(make: Callable[[], Any]) -> None:
    ours, theirs = make(), make()
    for row in (ours, theirs):
        seal_into(row, "sealed_payload", b"secret of %s" % str(row.pk).encode())
    ours.sealed_payload = theirs.sealed_payload
    with acting_as(SYSTEM):
        ours.save(), theirs.save()

    with pytest.raises(crypto.Unsealable):
        open_from(again(ours), "sealed_payload")
    assert open_from(again(theirs), "sealed_payload") == f"secret of {theirs.pk}".encode()


def test_who_sets_up_a_second_factor_meanwhile_is_shown_another_secret(settings: Any) -> None:
    settings.FIELD_KEYS, settings.STAFF_SECOND_FACTOR = [OLD], True
    client = Client()
    client.force_login(member("grace", "operator"))
    pages = [client.get("/admin/second-factor/set-up/") for _ in range(2)]
    settings.FIELD_KEYS = [NEW]

    pages.append(client.get("/admin/second-factor/set-up/"))

    first, same, other = (page.context["secret"] for page in pages)
    assert first == same != other
