"""Wrong passwords lock a name at an address, and nothing else."""

from datetime import timedelta

import pytest
import structlog
from axes.models import AccessAttempt
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.auth import api_keys, lockout
from core.tests.staff_people import PASSWORD, actions, member, signed_in

pytestmark = pytest.mark.django_db
HERE, THERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def ann():
    return member("ann", "viewer")


def attempt(password="wrong-words", *, name="ann", address=HERE, accept="text/html"):
    return Client(REMOTE_ADDR=address).post(
        "/admin/login/",
        {"username": name, "password": password},
        headers={"Accept": accept},
    )


def fail(times: int, **where) -> list[int]:
    return [attempt(**where).status_code for _ in range(times)]


class TestLock:
    def test_falls_at_the_fifth_failure_and_refuses_the_right_password_too(self, ann):
        assert fail(5) == [200, 200, 200, 200, 429]
        refused = attempt(PASSWORD)
        assert refused.status_code == 429
        assert refused["Retry-After"] == "900"
        assert "no-store" in refused["Cache-Control"]
        assert "Try again in 15 minutes" in refused.content.decode()
        assert "ann" not in refused.content.decode()

    def test_is_a_problem_for_whoever_wants_no_page(self, ann):
        fail(5)
        refused = attempt(accept="application/json")
        assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
        assert refused.json()["code"] == "locked_out"

    def test_leaves_other_addresses_and_other_names_alone(self, ann):
        member("bob", "viewer")
        fail(5)
        assert attempt(PASSWORD, address=THERE).status_code == 302
        assert attempt(PASSWORD, name="bob").status_code == 302

    def test_takes_the_network_of_an_ipv6_address_for_one_place(self, ann):
        statuses = [attempt(address=f"2001:db8::{number}").status_code for number in range(1, 6)]
        assert statuses == [200, 200, 200, 200, 429]
        assert attempt(PASSWORD, address="2001:db8:0:1::1").status_code == 302

    def test_does_not_believe_what_clients_say_about_their_address(self, ann):
        forged = [
            Client(REMOTE_ADDR=HERE)
            .post(
                "/admin/login/",
                {"username": "ann", "password": "wrong-words"},
                headers={"Accept": "text/html", "X-Forwarded-For": f"192.0.2.{number}"},
            )
            .status_code
            for number in range(5)
        ]
        assert forged == [200, 200, 200, 200, 429]

    def test_ends_after_a_quarter_of_an_hour_even_if_somebody_kept_trying(self, ann):
        fail(7)
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
        assert attempt(PASSWORD).status_code == 302

    def test_forgets_failures_after_the_right_password(self, ann):
        assert fail(4) == [200] * 4
        assert attempt(PASSWORD).status_code == 302
        assert fail(4) == [200] * 4

    def test_is_recorded_once(self, ann):
        fail(8)
        assert actions() == [("staff.locked_out", "sign-in")]
        assert len(actions(subject_id=str(ann.pk))) == 1

    def test_is_recorded_for_a_name_that_nobody_has(self):
        fail(5, name="nobody")
        assert actions(subject_id="") == [("staff.locked_out", "sign-in")]

    def test_keeps_no_name_and_no_password_in_the_clear(self, ann):
        with structlog.testing.capture_logs() as logged:
            fail(5, name="typed-my-password-here", password="and-here-as-well")
        kept = str(list(AccessAttempt.objects.values())) + repr(logged)
        assert "typed-my-password" not in kept
        assert "and-here" not in kept


class TestUnlock:
    def test_opens_every_address_at_once(self, ann):
        for address in (HERE, THERE):
            fail(5, address=address)
        assert lockout.locked_among(["ann", "bob"], at=timezone.now()) == {"ann"}

        assert lockout.unlock(ann, by="manage.py") == 2

        assert lockout.locked_among(["ann"], at=timezone.now()) == set()
        assert attempt(PASSWORD).status_code == 302
        assert actions()[-1] == ("staff.unlocked", "manage.py")

    def test_is_done_in_the_admin_by_superusers(self, ann):
        fail(5)
        chief = member("sue", "superuser")
        boss, url = signed_in(chief), f"/admin/auth/user/{ann.pk}/unlock/"
        assert "locked out" in boss.get(f"/admin/auth/user/{ann.pk}/change/").content.decode()
        boss.get(url)
        assert attempt(PASSWORD).status_code == 429

        boss.post(url)

        assert attempt(PASSWORD).status_code == 302
        assert actions()[-1] == ("staff.unlocked", f"staff:{chief.pk}")
        assert signed_in(ann).post(f"/admin/auth/user/{chief.pk}/unlock/").status_code == 403


class TestSpraying:
    def test_one_network_tries_only_so_many_passwords_whomever_they_are_for(self, ann, settings):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "sign_in": "3/hour"}
        statuses = [attempt(name=f"name-{number}").status_code for number in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert attempt(PASSWORD).status_code == 429
        assert attempt(PASSWORD, address=THERE).status_code == 302


@pytest.mark.urls("core.tests.urls")
class TestApi:
    def test_knows_nothing_of_locks(self, db):
        key = api_keys.create(label="x", scopes=["trading:read"]).text
        bad = [
            Client(REMOTE_ADDR=HERE).get("/orders", headers={"X-API-Key": "clr_test_x"}).status_code
            for _ in range(8)
        ]
        good = Client(REMOTE_ADDR=HERE).get("/orders", headers={"X-API-Key": key})
        assert ({*bad}, good.status_code) == ({401}, 200)
        assert AccessAttempt.objects.count() == 0

    def test_pays_no_query_for_the_staffs_sign_in(self, db):
        key = api_keys.create(label="x", scopes=["trading:read"]).text
        client = Client()
        client.get("/orders", headers={"X-API-Key": key})
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/orders", headers={"X-API-Key": key}).status_code == 200
        assert [query["sql"] for query in asked if "core_apikey" not in query["sql"]] == []
        assert len(asked) == 1
