"""The identity provider's table follows an account's status, where that is wanted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection

from accounts import services
from accounts.gateways import directory
from accounts.gateways.directory import AccountLine
from accounts.models import BrokerageAccount
from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable

pytestmark = pytest.mark.django_db


class FakeDirectory:
    """
    Remembers what it is told; `fails` is raised until it is taken back.

    It refuses those of `strangers`.
    """

    def __init__(self) -> None:
        self.lines: list[AccountLine] = []
        self.fails: VendorUnavailable | None = None
        self.strangers: set[str] = set()

    def write(self, line: AccountLine) -> None:
        if self.fails is not None:
            raise self.fails
        if line.user_id in self.strangers:
            raise VendorRejected("fake", "no such user", http_status=409)
        self.lines.append(line)


@pytest.fixture
def told(settings) -> Iterator[FakeDirectory]:
    settings.SUPABASE_WRITE_BACK = True
    fake = FakeDirectory()
    with directory.use(fake):
        yield fake


def row(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def test_a_status_is_written_once(told):
    account = make_account("ada")

    assert services.mirror_status(account_id=account.pk, at=now()) is True
    assert services.mirror_status(account_id=account.pk, at=now()) is False

    [line] = told.lines
    assert (line.user_id, line.status) == ("ada", "ACTIVE")
    assert line.broker_account_id == account.broker_account_id
    assert row(account).mirrored_status == "ACTIVE"


def test_what_could_not_be_written_is_written_by_the_sweep(told):
    accounts = [make_account() for _ in range(3)]
    told.fails = VendorUnavailable("fake", "not connected")
    assert services.sweep_mirror(at=now()) == 0

    told.fails = None

    assert services.sweep_mirror(at=now()) == 3
    assert services.sweep_mirror(at=now()) == 0
    assert {line.user_id for line in told.lines} == {account.user_id for account in accounts}


def test_one_that_is_refused_does_not_stop_the_others(told):
    accounts = [make_account(name) for name in ("ada", "eve", "bob")]
    told.strangers = {"eve"}

    assert services.sweep_mirror(at=now()) == 2

    assert {line.user_id for line in told.lines} == {"ada", "bob"}
    assert [row(account).mirrored_status for account in accounts] == ["ACTIVE", "", "ACTIVE"]


@pytest.mark.django_db(transaction=True)
def test_the_older_of_two_statuses_that_are_on_their_way_together_does_not_stay(settings):
    settings.SUPABASE_WRITE_BACK = True
    account = make_account("ada", status="SUBMITTED")
    has_read, is_overtaken = Event(), Event()
    pool = ThreadPoolExecutor(1)

    def mirror():
        try:
            return services.mirror_status(account_id=account.pk, at=now())
        finally:
            connection.close()

    class Crossing(FakeDirectory):
        """Gets the older status after the newer one, and answers its writer first."""

        def write(self, line):
            if line.status == "SUBMITTED":
                has_read.set()
                assert is_overtaken.wait(60)
                self.lines.append(line)
            else:
                self.lines.append(line)
                is_overtaken.set()
                assert older.result(60)

    with directory.use(crossing := Crossing()):
        older = pool.submit(mirror)
        assert has_read.wait(60)
        with acting_as(SYSTEM):
            BrokerageAccount.objects.filter(pk=account.pk).update(vendor_status="ACTIVE")
        assert services.mirror_status(account_id=account.pk, at=now())
    assert [line.status for line in crossing.lines] == ["ACTIVE", "SUBMITTED"]

    with directory.use(last := FakeDirectory()):
        assert services.sweep_mirror(at=now()) == 1

    assert [line.status for line in last.lines] == ["ACTIVE"]
    assert row(account).mirrored_status == "ACTIVE"


def test_nothing_is_written_where_it_is_not_wanted(told, settings):
    settings.SUPABASE_WRITE_BACK = False
    account = make_account()

    assert services.mirror_status(account_id=account.pk, at=now()) is False
    assert services.sweep_mirror(at=now()) == 0
    assert told.lines == []


@pytest.mark.django_db(transaction=True)
class TestSupabase:
    def test_the_line_is_in_the_table_and_replaced_by_the_next(self, sandbox, settings):
        settings.SUPABASE_WRITE_BACK = True
        settings.SUPABASE_URL = f"{sandbox.url}/supabase"
        account = make_account("ada")
        services.mirror_status(account_id=account.pk, at=now())
        with acting_as(SYSTEM):
            BrokerageAccount.objects.update(vendor_status="DISABLED")

        services.sweep_mirror(at=now())

        written = sandbox.effects("user_onboarding.written")
        assert len(written) == 2
        assert row(account).mirrored_status == "DISABLED"

    def test_a_wrong_key_is_reported_and_tried_again(self, sandbox, settings):
        settings.SUPABASE_WRITE_BACK = True
        settings.SUPABASE_URL = f"{sandbox.url}/supabase"
        settings.SUPABASE_SERVICE_KEY = "wrong"
        make_account("ada")

        assert services.sweep_mirror(at=now()) == 0

        settings.SUPABASE_SERVICE_KEY = "sandbox-service-role"
        assert services.sweep_mirror(at=now()) == 1


def test_preferences_are_each_customers_own(api):
    ada, eve = api(customer("ada")), api(customer("eve"))

    before = ada.get("/api/user/preferences")
    chosen = ada.patch(
        "/api/user/preferences/buying-power", {"buying_power": "cash_and_margin"}, format="json"
    )

    assert before.json() == {"success": True, "preferences": {"buying_power": "cash_only"}}
    assert chosen.json() == {"success": True, "preferences": {"buying_power": "cash_and_margin"}}
    assert ada.get("/api/user/preferences").json() == chosen.json()
    assert eve.get("/api/user/preferences").json() == before.json()


@pytest.mark.parametrize("body", [{}, {"buying_power": "all"}, {"buying_power": None}])
def test_a_choice_that_there_is_not_names_the_field(api, body):
    answer = api(customer("ada")).patch("/api/user/preferences/buying-power", body, format="json")

    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["buying_power"]
