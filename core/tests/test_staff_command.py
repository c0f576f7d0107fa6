"""`manage.py staff`: members made, listed and helped from a terminal."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from core.auth import second_factor
from core.auth.staff_members import Standing
from core.tests.staff_people import PASSWORD, actions, enrolled, member

pytestmark = pytest.mark.django_db


def run(*arguments) -> tuple[str, str]:
    out, told = StringIO(), StringIO()
    call_command("staff", *arguments, stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


class TestCreate:
    @pytest.mark.parametrize("role", ["viewer", "operator", "approver", "superuser"])
    def test_makes_a_member_who_can_sign_in_with_what_it_prints(self, role):
        out, told = run("create", "ann", "--role", role)

        user = User.objects.get()
        assert Standing.of(user).name == role
        signed = Client().post("/admin/login/", {"username": "ann", "password": out.strip()})
        assert signed["Location"] == "/admin/"
        assert out.count("\n") == 1
        assert out.strip() not in told
        assert "/admin/" in told
        assert actions() == [("staff.created", "manage.py"), ("staff.role_changed", "manage.py")]

    def test_says_what_comes_after_the_password(self, settings):
        settings.STAFF_SECOND_FACTOR = True
        assert "authenticator app" in run("create", "ann", "--role", "viewer")[1]

    @pytest.mark.parametrize(
        "arguments", [("ann", "--role", "king"), ("ann",), ("two words", "--role", "viewer")]
    )
    def test_makes_nobody_otherwise(self, arguments):
        with pytest.raises(CommandError):
            run("create", *arguments)
        assert User.objects.count() == 0


def test_list_shows_who_may_do_what_and_who_is_locked_out():
    enrolled(member("ann", "approver"))
    ended = member("bob", "viewer")
    ended.is_active = False
    ended.save()
    for _ in range(5):
        Client().post("/admin/login/", {"username": "ann", "password": "wrong"})

    heads, *rows = run("list")[0].splitlines()

    assert heads.split("  ")[0] == "member"
    assert [row.split() for row in rows] == [
        ["ann", "approver", "active", "set", "up", "never", "locked", "out"],
        ["bob", "viewer", "ended", "none", "yet", "never"],
    ]


def test_reset_factor_forgets_the_phone_and_says_what_comes_next():
    user = member("ann", "viewer")
    enrolled(user)

    told = run("reset-factor", "ann")[1]

    assert second_factor.device_of(user) is None
    assert "sets up a new one" in told
    assert actions() == [("staff.second_factor_reset", "manage.py")]
    with pytest.raises(CommandError, match="has no second factor"):
        run("reset-factor", "ann")


def test_unlock_lets_a_member_try_again():
    member("ann", "viewer")
    for _ in range(5):
        Client().post("/admin/login/", {"username": "ann", "password": "wrong"})

    assert "ann may try again" in run("unlock", "ann")[1]

    answer = Client().post("/admin/login/", {"username": "ann", "password": PASSWORD})
    assert answer.status_code == 302
    with pytest.raises(CommandError, match="called bob"):
        run("unlock", "bob")
