"""What staff does with accounts is checked, told to the customer, and on record."""

import pytest

from accounts import services
from accounts.models import AccountEvent, BrokerageAccount
from accounts.services import oversight
from accounts.tests.factories import customer, make_account, now
from core import crypto
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.errors import Invalid, NotFound
from core.ids import new_id

ANN, BEN = Principal.staff(1), Principal.staff(2)

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_account("ada")


def row(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def recorded(*actions):
    with acting_as(SYSTEM):
        found = AuditEntry.objects.filter(action__in=actions).order_by("pk")
        return [(entry.action, entry.principal, entry.user_id) for entry in found]


def told():
    with acting_as(SYSTEM):
        events = AccountEvent.objects.filter(kind="account.status").order_by("seq")
        return [payload["is_frozen"] for payload in events.values_list("payload", flat=True)]


class TestFreeze:
    def test_stops_orders_and_transfers_and_tells_the_customer(self, account):
        oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())

        frozen = row(account)
        assert (frozen.is_frozen, frozen.is_tradable) == (True, False)
        assert (frozen.frozen_by, frozen.freeze_reason) == ("staff:1", "Odd logins.")
        assert told() == [True]
        assert recorded("account.frozen") == [("account.frozen", "staff:1", "ada")]

    def test_is_lifted_by_somebody_else_only(self, account):
        oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())

        with pytest.raises(oversight.SamePerson):
            oversight.unfreeze(staff=ANN, account_id=account.pk, reason="All well.")
        assert row(account).is_frozen

        oversight.unfreeze(staff=BEN, account_id=account.pk, reason="All well.")
        assert row(account).is_tradable
        assert told() == [True, False]
        assert recorded("account.frozen", "account.unfrozen") == [
            ("account.frozen", "staff:1", "ada"),
            ("account.unfrozen", "staff:2", "ada"),
        ]

    def test_twice_is_refused_and_so_is_lifting_nothing(self, account):
        with pytest.raises(oversight.NotFreezable):
            oversight.unfreeze(staff=BEN, account_id=account.pk, reason="All well.")
        oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())
        with pytest.raises(oversight.NotFreezable):
            oversight.freeze(staff=BEN, account_id=account.pk, reason="Again.", at=now())

        assert row(account).frozen_by == "staff:1"

    def test_by_the_system_is_lifted_by_anybody_who_may_lift_one(self, account):
        assert services.restrict(account_id=account.pk, reason="A deposit came back.", at=now())

        assert (row(account).is_frozen, row(account).frozen_by) == (True, SYSTEM.name)
        oversight.unfreeze(staff=ANN, account_id=account.pk, reason="All well.")
        assert row(account).is_tradable
        assert told() == [True, False]
        assert recorded("account.frozen") == [("account.frozen", SYSTEM.name, "ada")]

    def test_by_the_system_leaves_a_freeze_of_our_staff_alone(self, account):
        oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())

        assert not services.restrict(account_id=account.pk, reason="A deposit came back.", at=now())

        assert (row(account).frozen_by, row(account).freeze_reason) == ("staff:1", "Odd logins.")
        assert told() == [True]
        with pytest.raises(NotFound):
            services.restrict(account_id=new_id(), reason="A deposit came back.", at=now())

    @pytest.mark.parametrize("reason", ["", "   ", "\n"])
    def test_needs_a_reason(self, account, reason):
        with pytest.raises(Invalid) as refused:
            oversight.freeze(staff=ANN, account_id=account.pk, reason=reason, at=now())

        assert list(refused.value.field_errors) == ["reason"]
        assert not row(account).is_frozen

    def test_of_what_does_not_exist_is_not_found(self):
        with pytest.raises(NotFound):
            oversight.freeze(staff=ANN, account_id=new_id(), reason="Odd.", at=now())

    def test_a_row_change_names_who_made_it(self, account):
        oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())

        with acting_as(SYSTEM):
            entry = AuditEntry.objects.filter(
                subject_id=str(account.pk), action="row.changed"
            ).latest("pk")
        assert entry.principal == "staff:1"
        assert entry.details["to"]["frozen_by"] == "staff:1"


class TestReveal:
    def test_is_on_record_with_its_reason_before_anything_is_shown(self, account):
        person = oversight.reveal_person(staff=ANN, account_id=account.pk, reason="Customer calls")

        assert person.contact["city"] == "San Francisco"
        assert "tax_id" not in person.identity
        with acting_as(SYSTEM):
            [entry] = AuditEntry.objects.filter(action="pii.revealed")
        assert (entry.principal, entry.user_id, entry.details) == (
            "staff:1", "ada", {"reason": "Customer calls"},
        )  # fmt: skip

    def test_without_a_reason_shows_and_records_nothing(self, account):
        with pytest.raises(Invalid):
            oversight.reveal_person(staff=ANN, account_id=account.pk, reason=" ")

        assert recorded("pii.revealed") == []

    def test_what_is_sealed_opens_in_its_own_row_only(self, account):
        other = make_account("eve")
        with acting_as(SYSTEM):
            theirs = row(account).sealed_profile
            BrokerageAccount.objects.filter(pk=other.pk).update(sealed_profile=theirs)

        with pytest.raises(crypto.Unsealable):
            oversight.reveal_person(staff=ANN, account_id=other.pk, reason="Customer calls")


def test_a_frozen_account_is_still_read_by_its_owner(account, broker):
    oversight.freeze(staff=ANN, account_id=account.pk, reason="Odd logins.", at=now())

    found = services.lock_account
    with acting_as(customer("ada")):
        assert found(account_id=account.pk).is_frozen
