"""Changing contact data: one change at the broker, whatever dies, and our copy follows it."""

import threading
from dataclasses import replace

import pytest
from django.db import connection

from accounts import selectors, services
from accounts.models import AccountEvent, BrokerageAccount, ContactChange
from accounts.tests.factories import application, customer, now
from core.auth import SYSTEM, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")
MOVED = {"contact": {"city": "Oakland", "phone_number": "+1 555 555 0000"}}

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return customer("ada")


@pytest.fixture
def account(broker, ada):
    return services.open_account(
        principal=ada, application=application("ada@example.com"), request=None, at=now()
    )


def change(principal, account, changes=MOVED):
    return services.change_contact(
        principal=principal, account_id=account.public_id, changes=changes, request=None, at=now()
    )


def row(thing):
    with acting_as(SYSTEM):
        return type(thing).objects.get(pk=thing.pk)


def look(times=1):
    for _ in range(times):
        services.sweep_changes(at=now())
        pass_time(11)


def events(kind):
    with acting_as(SYSTEM):
        return list(AccountEvent.objects.filter(kind=kind).values_list("payload", flat=True))


def test_reaches_the_broker_once_and_our_sealed_copy_follows(broker, ada, account):
    made = change(ada, account)

    assert broker.changes == [MOVED]
    assert (made.state, made.fields) == ("ACCEPTED", ["contact.city", "contact.phone_number"])
    assert made.sealed_payload is None
    person = row(account).person()
    assert (person.contact["city"], person.contact["state"]) == ("Oakland", "CA")
    assert person.identity["given_name"] == "Ada"


def test_the_customer_hears_which_fields_changed_and_not_to_what(broker, ada, account):
    change(ada, account)

    assert events("account.profile_changed") == [
        {"fields": ["contact.city", "contact.phone_number"]}
    ]


def test_a_new_address_is_found_by_and_frees_the_old_one(broker, ada, account):
    change(ada, account, {"contact": {"email_address": "Ada@New.example.com"}})

    assert row(account).email_masked == "a***@new.example.com"
    other = services.open_account(
        principal=customer(), application=application("ada@example.com"), request=None, at=now()
    )
    assert other.is_accepted


def test_an_address_of_another_account_is_refused_before_the_broker_hears_of_it(
    broker, ada, account
):
    services.open_account(
        principal=customer(), application=application("bob@example.com"), request=None, at=now()
    )

    with pytest.raises(services.EmailExists):
        change(ada, account, {"contact": {"email_address": "bob@example.com"}})

    assert broker.changes == []
    with acting_as(SYSTEM):
        assert not ContactChange.objects.exists()


def test_an_address_that_only_the_broker_knows_is_refused_too(broker, ada, account):
    [opened] = broker.accounts.values()
    broker.accounts["elsewhere"] = replace(
        opened, broker_account_id="elsewhere", email="bob@example.com"
    )

    with pytest.raises(services.EmailExists):
        change(ada, account, {"contact": {"email_address": "bob@example.com"}})

    assert row(account).person().email == "ada@example.com"


def test_a_clear_no_changes_nothing_here(broker, ada, account):
    broker.fails_before = VendorRejected("fake", "contact.city is not valid", http_status=422)

    with pytest.raises(services.ChangeRefused, match=r"contact\.city is not valid"):
        change(ada, account)

    assert row(account).person().contact["city"] == "San Francisco"
    assert events("account.profile_changed") == []


def test_a_lost_answer_is_found_by_reading_the_broker(broker, ada, account):
    broker.fails_after = UNCLEAR
    lost = change(ada, account)
    assert (lost.state, lost.sealed_payload) == ("UNKNOWN", None)

    look()

    assert row(lost).state == "ACCEPTED"
    assert row(account).person().contact["city"] == "Oakland"
    assert broker.changes == [MOVED]


def test_a_change_that_never_took_effect_ends_as_refused_after_two_looks(broker, ada, account):
    broker.fails_before = UNCLEAR
    lost = change(ada, account)

    look()
    assert row(lost).state == "UNKNOWN"
    look()

    assert (row(lost).state, row(lost).reason) == (
        "REJECTED",
        "The broker did not take it over; please submit it again.",
    )
    assert change(ada, account).is_accepted
    assert len(broker.changes) == 2


def test_what_never_arrived_is_sent_by_the_sweep(broker, ada, account):
    broker.fails_before = AWAY
    waiting = change(ada, account)
    assert waiting.state == "PENDING"

    pass_time(30)
    look()

    assert row(waiting).state == "ACCEPTED"
    assert len(broker.changes) == 2


def test_a_second_change_waits_until_the_first_is_decided(broker, ada, account):
    broker.fails_after = UNCLEAR
    change(ada, account)

    with pytest.raises(services.ChangeInProgress) as refused:
        change(ada, account, {"contact": {"city": "Berkeley"}})

    assert refused.value.status == 409
    assert len(broker.changes) == 1


def test_a_closed_account_is_not_changed(broker, ada, account):
    with acting_as(SYSTEM):
        BrokerageAccount.objects.update(vendor_status="ACCOUNT_CLOSED")

    with pytest.raises(services.AccountOver):
        change(ada, account)

    assert broker.changes == []


def test_nobody_else_changes_it(broker, account):
    with pytest.raises(NotFound):
        change(customer("eve"), account)

    assert broker.changes == []


def test_a_change_at_the_broker_reaches_our_copy_when_it_is_read_again(broker, ada, account):
    [(key, opened)] = broker.accounts.items()
    contact = {**opened.sections["contact"], "city": "Reno", "email_address": "ada@reno.example"}
    broker.accounts[key] = replace(
        opened, email="ada@reno.example", sections={**opened.sections, "contact": contact}
    )

    services.refresh_account(principal=ada, account_id=account.pk)

    assert row(account).email_masked == "a***@reno.example"
    assert selectors.owner_name_of(row(account)) == "Ada Stone"


@pytest.mark.django_db(transaction=True)
def test_of_twenty_changes_at_once_only_one_is_on_its_way(broker, ada, account):
    broker.fails_after = UNCLEAR
    outcomes = []
    barrier = threading.Barrier(20)

    def ask(number):
        barrier.wait(timeout=60)
        try:
            outcomes.append(change(ada, account, {"contact": {"city": f"Town {number}"}}).state)
        except services.ChangeInProgress:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("UNKNOWN") == 1
    assert len(broker.changes) == 20 - outcomes.count("refused")
