"""What the broker writes is looked at before it is believed: whose it is, and can we keep it?"""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from accounts import selectors, services
from accounts.gateways import get_brokerage
from accounts.gateways.fake import FakeBrokerage
from accounts.models import BrokerageAccount
from accounts.services.status import refresh_due
from accounts.tests.factories import application, customer, make_account
from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable, VendorUnclear
from core.tests.wires import answer, vendor

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)


@contextmanager
def saying(settings, body):
    """Let the broker answer everything with this."""
    text = json.dumps(body).encode()
    with vendor(lambda connection, _: connection.sendall(answer("200 OK", text))) as (url, _):
        settings.ALPACA_BROKER_URL = url
        yield


def shown(account, **parts):
    return {
        "id": account.broker_account_id,
        "account_number": account.account_number,
        "status": "ACTIVE",
        "created_at": NOW.isoformat(),
        "contact": {"email_address": "ada@example.com", "city": "Oakland"},
        **parts,
    }


def row(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def refresh(account):
    return services.refresh_account(principal=customer("ada"), account_id=account.pk)


class TestWhoseItIs:
    def test_an_answer_about_another_account_is_not_taken_for_this_one(self, settings):
        account = make_account("ada", status="SUBMITTED")
        before = row(account).person()

        with saying(settings, shown(account, id=str(uuid4()))), pytest.raises(VendorUnavailable):
            refresh(account)

        assert row(account).vendor_status == "SUBMITTED"
        assert row(account).person() == before

    def test_nor_is_its_person_shown(self, settings):
        account = make_account("ada")

        with saying(settings, shown(account, id=str(uuid4()))), pytest.raises(VendorUnavailable):
            services.read_person(principal=customer("ada"), account_id=account.pk)

    def test_a_change_that_is_answered_with_another_account_may_have_been_made(self, settings):
        account = make_account("ada")

        with saying(settings, shown(account, id=str(uuid4()))), pytest.raises(VendorUnclear):
            get_brokerage().change_account(account.broker_account_id, {"contact": {"city": "X"}})

    def test_an_application_that_is_answered_with_another_person_may_have_arrived(self, settings):
        body = {"id": str(uuid4()), "status": "SUBMITTED", "account_number": "1"}
        eve = {"contact": {"email_address": "eve@example.com"}}

        with saying(settings, body | eve), pytest.raises(VendorUnclear):
            get_brokerage().open_account(application("ada@example.com"))


class TestWhatWeCanKeep:
    @pytest.mark.parametrize(
        "part",
        [
            {"status": "AC\x00TIVE"},
            {"crypto_status": "\x00"},
            {"status": "\ud800"},
            {"contact": {"email_address": "a\udc00@example.com"}},
            {"kyc_results": {"reject": {"A\x00": {}}}},
        ],
    )
    def test_an_answer_that_no_table_can_hold_is_no_answer(self, settings, part):
        account = make_account("ada")

        with saying(settings, shown(account, **part)), pytest.raises(VendorUnavailable):
            refresh(account)

    def test_numbers_in_the_person_keep_their_exact_text(self, settings):
        account = make_account("ada")
        income = {"given_name": "Ada", "annual_income_min": 50000.25}

        with saying(settings, shown(account, identity=income)):
            refresh(account)

        assert row(account).person().identity["annual_income_min"] == "50000.25"

    def test_of_thousands_of_wishes_some_are_kept_and_told(self, settings):
        account = make_account("ada", status="SUBMITTED")
        wishes = {"reject": {f"{number:04}" + "\U0001f9fe" * 60: {} for number in range(3000)}}

        with saying(settings, shown(account, status="ACTION_REQUIRED", kyc_results=wishes)):
            found = refresh(account)

        assert found.vendor_status == "ACTION_REQUIRED"
        assert len(found.requirements) == 20

    @pytest.mark.parametrize("status", [["ACTIVE"], 5, None, {"a": 1}])
    def test_a_status_that_is_no_word_changes_nothing(self, settings, status):
        account = make_account("ada", status="SUBMITTED")

        with saying(settings, shown(account, status=status)):
            assert refresh(account).vendor_status == "SUBMITTED"

    def test_one_account_that_cannot_be_written_down_does_not_stop_the_others(self):
        class Odd(FakeBrokerage):
            def get_account(self, broker_account_id):
                asked.append(broker_account_id)
                raise TypeError("nobody has thought of this")

        from accounts import gateways

        asked = []
        accounts = [make_account(), make_account()]
        with gateways.use(Odd()):
            assert refresh_due() == 2
            assert refresh_due() == 0  # each waits for its next turn

        assert sorted(asked) == sorted(account.broker_account_id for account in accounts)


class TestTimes:
    def tell(self, account, at, status="ACCOUNT_UPDATED"):
        name = f"01ARZ3NDEKTSV4RRFFQ69G5F{len(at):02}"
        news = {"account_id": account.broker_account_id, "status_to": status, "at": at}
        inbox.receive(services.SOURCE, name, news)
        assert services.apply_events() == 1

    @pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
    def test_a_time_that_no_calendar_has_counts_as_none(self, at):
        account = make_account("ada")

        self.tell(account, at)

        assert (row(account).vendor_status, row(account).vendor_status_at) == (
            "ACCOUNT_UPDATED",
            None,
        )
        steps = selectors.list_steps(principal=customer("ada"), account_id=account.pk)
        assert (steps[-1].vendor_status, steps[-1].vendor_at) == ("ACCOUNT_UPDATED", None)

    def test_a_time_that_is_yet_to_come_does_not_make_later_news_late(self):
        account = make_account("ada")
        self.tell(account, (NOW + timedelta(days=400)).isoformat())

        self.tell(account, NOW.isoformat().replace("+00:00", "Z"), status="DISABLED")

        assert (row(account).vendor_status, row(account).vendor_status_at) == ("DISABLED", NOW)
