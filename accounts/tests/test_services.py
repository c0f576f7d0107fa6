"""Opening an account has one effect at the broker, and its status follows the broker's news."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from accounts import selectors, services
from accounts.events import AccountStatusChanged
from accounts.gateways import OpenedAccount
from accounts.models import BrokerageAccount
from accounts.tests.factories import application, customer, make_account, now
from core import idempotency, inbox
from core.auth import SYSTEM, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.events import subscribe
from core.inbox import InboxEvent
from core.tests.parcels import pass_time

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")

pytestmark = pytest.mark.django_db


def open_account(principal, email="", request=None):
    return services.open_account(
        principal=principal, application=application(email), request=request, at=now()
    )


def row(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def look(times=1):
    for _ in range(times):
        services.sweep_applications(at=now())
        pass_time(11)


def tell(account, status, *, at="2026-11-23T15:00:00Z", ulid="01"):
    payload = {"account_id": account.broker_account_id, "status_to": status, "at": at}
    inbox.receive(services.SOURCE, ulid, payload, cursor=ulid)
    return services.apply_events()


class TestOpenAccount:
    def test_reaches_the_broker_once_and_forgets_the_application(self, broker):
        account = open_account(customer("ada"), "ada@example.com")

        assert [a.email for a in broker.applications] == ["ada@example.com"]
        [opened] = broker.accounts.values()
        assert (account.state, account.vendor_status) == ("ACCEPTED", "SUBMITTED")
        assert account.public_id == opened.broker_account_id
        assert account.account_number == opened.account_number
        assert (account.sealed_payload, account.email_masked) == (None, "a***@example.com")
        assert (account.user_id, account.tax_id_last4) == ("ada", "6789")
        assert selectors.owner_name_of(account) == "Ada Stone"

    def test_keeps_no_secret_in_clear(self, broker):
        account = open_account(customer(), "ada@example.com")

        kept = b" ".join(
            value if isinstance(value, bytes) else str(value).encode()
            for value in row(account).__dict__.values()
        )
        for secret in (b"123-45-6789", b"123456789", b"ada@example.com", b"Stone"):
            assert secret not in kept

    def test_a_credential_that_names_no_customer_opens_nothing(self, broker):
        with pytest.raises(NotFound):
            open_account(SYSTEM)

        assert broker.applications == []

    def test_a_second_live_account_is_refused(self, broker):
        ada = customer()
        first = open_account(ada)

        with pytest.raises(services.AccountExists) as refusal:
            open_account(ada)

        assert refusal.value.extra == {"account_id": first.public_id}
        assert len(broker.applications) == 1

    def test_an_address_that_another_customer_has_is_refused_before_sending(self, broker):
        open_account(customer(), "ada@example.com")

        with pytest.raises(services.EmailExists) as refusal:
            open_account(customer(), " ADA@Example.com ")

        assert refusal.value.code == "EMAIL_EXISTS"
        assert len(broker.applications) == 1

    def test_an_address_that_the_broker_knows_is_refused_and_another_one_may_be_tried(self, broker):
        ada = customer()
        broker.accounts["old"] = OpenedAccount(
            "old", "9", "ACCOUNT_CLOSED", now(), "ada@example.com"
        )

        with pytest.raises(services.EmailExists):
            open_account(ada, "ada@example.com")

        assert open_account(ada, "ada2@example.com").is_accepted

    def test_a_refusal_is_told_in_the_brokers_words(self, broker):
        broker.fails_before = VendorRejected("fake", "tax_id is not valid", vendor_code="42")

        with pytest.raises(services.ApplicationRefused) as refusal:
            open_account(customer())

        assert refusal.value.detail == "The broker refused the application: tax_id is not valid"
        with acting_as(SYSTEM):
            assert bytes(BrokerageAccount.objects.get().sealed_profile) == b""

    def test_the_same_key_opens_one_account(self, broker):
        ada = customer()
        claim = idempotency.Request(
            principal=ada.name, operation="accounts.open_account", key="k", fingerprint="f"
        )
        first = open_account(ada, request=claim)
        pass_time(21)  # the first answer was never stored: whoever asks again takes over
        again = open_account(ada, request=replace(claim))

        assert again.pk == first.pk
        assert len(broker.applications) == 1


class TestUnsureOutcomes:
    def test_an_application_that_never_arrived_is_sent_by_the_sweep(self, broker):
        broker.fails_before = AWAY
        account = open_account(customer())
        assert (account.state, account.public_status) == ("PENDING", "PENDING")

        pass_time(30)
        look()

        assert row(account).state == "ACCEPTED"
        assert len(broker.accounts) == 1

    def test_a_lost_answer_is_found_by_the_address(self, broker):
        broker.fails_after = UNCLEAR
        account = open_account(customer())
        assert (account.state, account.sealed_payload) == ("UNKNOWN", None)

        look()

        [opened] = broker.accounts.values()
        assert row(account).broker_account_id == opened.broker_account_id
        assert row(account).state == "ACCEPTED"
        assert len(broker.applications) == 1

    def test_without_a_trace_a_person_decides_and_nothing_is_sent_again(self, broker):
        broker.fails_before = UNCLEAR
        account = open_account(customer())

        look(times=3)

        assert row(account).state == "NEEDS_REVIEW"
        assert len(broker.applications) == 1

    def test_a_broker_that_cannot_be_read_settles_nothing(self, broker):
        broker.fails_before = UNCLEAR
        account = open_account(customer())
        broker.reading_fails = AWAY

        look(times=5)

        assert (row(account).state, row(account).looks) == ("UNKNOWN", 0)

    @pytest.mark.parametrize("age", [timedelta(days=400), timedelta(minutes=6)])
    def test_an_older_account_with_the_address_is_not_taken_over(self, broker, age):
        broker.fails_before = UNCLEAR
        account = open_account(customer(), "ada@example.com")
        opened_at = row(account).sent_at - age
        broker.accounts["x"] = OpenedAccount("x", "9", "ACTIVE", opened_at, "ada@example.com")

        look()

        assert (row(account).state, row(account).broker_account_id) == ("REJECTED", "")
        assert row(account).vendor_status == "EMAIL_EXISTS"

    def test_an_account_that_another_customer_holds_is_not_taken_over(self, broker):
        theirs = make_account(broker_account_id="theirs")
        broker.fails_before = UNCLEAR
        mine = open_account(customer(), "ada@example.com")
        broker.accounts["theirs"] = OpenedAccount("theirs", "9", "ACTIVE", now(), "ada@example.com")

        look()

        assert row(mine).state == "REJECTED"
        assert row(theirs).broker_account_id == "theirs"


class TestNews:
    def test_moves_the_status_and_tells_the_other_apps(
        self, broker, django_capture_on_commit_callbacks
    ):
        told = []
        subscribe(AccountStatusChanged, told.append)
        account = open_account(customer())
        assert account.is_tradable is False

        with django_capture_on_commit_callbacks(execute=True):
            assert tell(account, "ACTIVE") == 1

        assert row(account).is_tradable is True
        assert told == [AccountStatusChanged(account.pk, "ACTIVE")]

    def test_the_same_event_twice_changes_nothing(self, broker):
        account = open_account(customer())

        assert tell(account, "APPROVED", ulid="01") == 1
        assert tell(account, "APPROVED", ulid="01") == 0
        assert row(account).vendor_status == "APPROVED"

    def test_older_news_does_not_undo_newer(self, broker):
        account = open_account(customer())

        tell(account, "ACTIVE", ulid="02", at="2026-11-23T15:00:02Z")
        tell(account, "APPROVED", ulid="01", at="2026-11-23T15:00:01Z")

        assert row(account).vendor_status == "ACTIVE"

    def test_an_unknown_word_is_kept_alarmed_and_does_not_trade(self, broker):
        account = open_account(customer())

        with capture_logs() as logs:
            tell(account, "SOMETHING_NEW")

        assert row(account).vendor_status == "SOMETHING_NEW"
        assert row(account).is_tradable is False
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
            "account.unknown_status"
        ]

    def test_news_that_overtake_the_answer_wait_for_it(self, broker):
        broker.fails_after = UNCLEAR
        account = open_account(customer())
        [opened] = broker.accounts.values()

        for _ in range(inbox.MAX_ATTEMPTS + 1):
            assert tell(opened, "ACTIVE") == 0
        look()

        assert row(account).vendor_status == "ACTIVE"
        assert InboxEvent.objects.filter(applied_at__isnull=True).count() == 0

    def test_news_of_somebody_elses_account_are_laid_aside(self, broker):
        stranger = OpenedAccount("not-ours", "9", "ACTIVE", now())

        assert tell(stranger, "ACTIVE") == 1

    def test_an_unreadable_event_is_parked_and_the_others_flow_on(self, broker):
        account = open_account(customer())
        inbox.receive(services.SOURCE, "00", {"nonsense": True})

        with capture_logs():
            assert tell(account, "ACTIVE") == 1

        assert InboxEvent.objects.get(external_id="00").error == "Unreadable"


class TestRefresh:
    def test_heals_a_status_whose_event_never_came(self, broker):
        account = open_account(customer())
        broker.accounts[account.broker_account_id] = replace(
            broker.accounts[account.broker_account_id], status="ACTIVE"
        )

        assert services.refresh_accounts(at=now()) == 1
        assert row(account).is_tradable is True
        assert services.refresh_accounts(at=now()) == 0

    def test_does_not_ask_again_too_soon(self, broker):
        open_account(customer())

        assert services.refresh_accounts(at=now()) == 1
        assert services.refresh_accounts(at=now()) == 0
        pass_time(31)
        assert services.refresh_accounts(at=now()) == 1

    def test_one_unreadable_account_does_not_stop_the_others(self, broker):
        lost = make_account(status="SUBMITTED")
        account = open_account(customer())
        broker.accounts[account.broker_account_id] = replace(
            broker.accounts[account.broker_account_id], status="APPROVED"
        )

        assert services.refresh_accounts(at=now()) == 2
        assert (row(lost).vendor_status, row(account).vendor_status) == ("SUBMITTED", "APPROVED")


class TestWhoSeesWhat:
    def test_an_account_answers_to_both_of_its_ids_for_its_owner_only(self, broker):
        ada, eve = customer(), customer()
        account = open_account(ada)

        for name in (account.pk, str(account.pk), account.broker_account_id):
            assert selectors.get_account(principal=ada, account_id=name) == account
            with pytest.raises(NotFound):
                selectors.get_account(principal=eve, account_id=name)
        assert selectors.list_accounts(principal=ada) == [account]
        assert selectors.list_accounts(principal=eve) == []

    @pytest.mark.parametrize("name", ["", "x", "'", "00000000-0000-0000-0000-000000000000"])
    def test_an_unknown_name_is_not_found(self, name):
        with pytest.raises(NotFound):
            selectors.get_account(principal=customer(), account_id=name)

    def test_locking_somebody_elses_account_finds_nothing(self):
        account = make_account()

        with acting_as(customer()), pytest.raises(NotFound):
            services.lock_account(account_id=account.pk)


class TestReview:
    def test_the_customer_may_apply_again_once_an_operator_has_decided(self, broker):
        ada = customer("ada")
        broker.fails_before = UNCLEAR
        lost = open_account(ada, "ada@example.com")
        look(times=3)
        assert (row(lost).state, row(lost).public_status) == ("NEEDS_REVIEW", "PENDING")
        with pytest.raises(services.AccountExists):
            open_account(ada, "ada@example.com")

        services.dismiss(account_id=lost.pk, at=now())

        assert (row(lost).state, row(lost).public_status) == ("REJECTED", "REJECTED")
        assert bytes(row(lost).sealed_profile) == b""
        assert open_account(ada, "ada@example.com").is_accepted

    def test_an_account_that_turns_up_late_becomes_the_customers(self, broker):
        broker.fails_before = UNCLEAR
        lost = open_account(customer("ada"), "ada@example.com")
        look(times=3)
        late = OpenedAccount("late", "900", "ACTIVE", row(lost).sent_at, "ada@example.com")
        broker.accounts["late"] = late

        assert services.refresh_accounts(at=now()) == 1

        assert (row(lost).state, row(lost).broker_account_id) == ("ACCEPTED", "late")
