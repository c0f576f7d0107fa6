"""Staff sees what it needs and changes nothing but a verdict."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.tests.factories import AT, customer
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from core.tests.parcels import pass_time
from funding.models import Transfer
from funding.services import transfer_upkeep, transfers
from funding.tests.factories import make_bank

pytestmark = pytest.mark.django_db
LIST = "/admin/funding/transfer/"


@pytest.fixture
def transfer(funds):
    """A transfer that an operator has to decide."""
    bank = make_bank()
    funds.fails_before = VendorUnclear("fake", "no answer")
    moved = transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal("25.00"),
        direction="INCOMING",
        request=None,
        at=AT,
    )
    for _ in range(3):
        transfer_upkeep.sweep_transfers(at=AT)
        pass_time(11)
    return moved


def staff(client, *codenames):
    user = get_user_model().objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def dismiss(client, transfer):
    body = {"action": "dismiss", "_selected_action": [str(transfer.pk)]}
    return client.post(LIST, body, follow=True)


def state_of(transfer):
    with acting_as(SYSTEM):
        return Transfer.objects.get(pk=transfer.pk).state


def test_lists_and_details_show_the_history_and_no_form(client, transfer):
    viewer = staff(client, "view_transfer", "view_achrelationship", "view_brokerageaccount")

    listed = viewer.get(LIST)
    shown = viewer.get(f"{LIST}{transfer.pk}/change/")
    bank = viewer.get(f"/admin/funding/achrelationship/{transfer.relationship_id}/change/")
    account = viewer.get(f"/admin/accounts/brokerageaccount/{transfer.account_id}/change/")

    pages = [listed, shown, bank, account]
    assert [page.status_code for page in pages] == [200] * 4
    assert "NEEDS_REVIEW" in shown.content.decode()
    for page in pages:
        text = page.content.decode()
        assert 'name="amount"' not in text
        assert "sealed" not in text
        assert "121000358" not in text
        assert "123456789" not in text


def test_nobody_adds_or_deletes(client, transfer):
    user = staff(client, "add_transfer", "delete_transfer", "change_transfer", "view_transfer")

    assert user.get(f"{LIST}add/").status_code == 403
    assert user.post(f"{LIST}{transfer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert user.post(f"{LIST}{transfer.pk}/change/", {"amount": "1"}).status_code == 403


def test_who_only_looks_decides_nothing(client, transfer):
    dismiss(staff(client, "view_transfer"), transfer)

    assert state_of(transfer) == "NEEDS_REVIEW"


def test_an_operator_settles_what_the_broker_never_got(client, transfer):
    answer = dismiss(staff(client, "view_transfer", "change_transfer"), transfer)

    assert "Settled 1 transfers under review." in answer.content.decode()
    assert state_of(transfer) == "REJECTED"
