"""The second factor: set up once, asked for each time, and nothing opens without it."""

import base64
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from core.auth import second_factor
from core.auth.staff_device import StaffDevice, code_at, matching_step
from core.tests.staff_people import (
    PASSWORD,
    SECRET,
    actions,
    code,
    enrolled,
    member,
    secret_of,
    signed_in,
)

pytestmark = pytest.mark.django_db
ASK, SET_UP = "/admin/second-factor/", "/admin/second-factor/set-up/"
OPEN = {"/admin/login/", "/admin/logout/", ASK, SET_UP}


@pytest.fixture(autouse=True)
def second_factor_is_on(settings):
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def ann():
    return member("ann", "approver")


def after_password(user) -> Client:
    """Sign in as far as the password goes."""
    client = Client()
    answer = client.post("/admin/login/", {"username": user.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def shown_secret(page):
    text = re.search(r"select-all[^>]*>([A-Z2-7 ]+)<", page.content.decode())
    return base64.b32decode(text.group(1).replace(" ", ""))


def admin_paths():
    """List an address for every view of the admin, whatever is registered there."""
    found = []

    def walk(patterns, before):
        for entry in patterns:
            here = before + str(entry.pattern)
            if isinstance(entry, URLPattern):
                found.append(re.sub(r"<[^>]+>", "1", here))
            else:
                walk(entry.url_patterns, here)

    (root,) = (
        entry
        for entry in get_resolver().url_patterns
        if getattr(entry, "namespace", None) == "admin"
    )
    walk(root.url_patterns, "/admin/")
    return [re.sub(r"\(\?P.+\$$|\^|\$", "nothing", path) for path in found]


class TestEveryDoor:
    @pytest.mark.parametrize("has_device", [False, True])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_is_closed_until_the_code_was_right(self, has_device, method):
        user = member("sue", "superuser")
        if has_device:
            enrolled(user)
        client = after_password(user)
        paths = [path for path in admin_paths() if path not in OPEN]

        answers = {path: getattr(client, method)(path) for path in paths}

        assert len(paths) > 60
        assert {answer.status_code for answer in answers.values()} == {302}
        assert {answer["Location"].partition("?")[0] for answer in answers.values()} == {ASK}

    def test_stays_closed_to_a_device_of_somebody_else(self, ann):
        client = after_password(ann)
        session = client.session
        session["otp_device_id"] = enrolled(member("eve", "approver")).persistent_id
        session.save()

        assert client.get("/admin/")["Location"].startswith(ASK)

    def test_opens_with_the_code(self, ann):
        enrolled(ann)
        client = after_password(ann)
        assert client.post(f"{ASK}?next=/admin/core/apikey/", {"code": code()})["Location"] == (
            "/admin/core/apikey/"
        )
        assert client.get("/admin/core/apikey/").status_code == 200

    def test_strangers_are_sent_to_the_password_and_the_api_asks_for_no_code(self):
        assert Client().get(ASK)["Location"].startswith("/admin/login/")
        assert Client().get("/admin/")["Location"].startswith("/admin/login/")
        assert Client().get("/health").status_code == 200

    def test_asks_nobody_where_it_is_switched_off(self, ann, settings):
        settings.STAFF_SECOND_FACTOR = False
        client = after_password(ann)
        assert client.get("/admin/").status_code == 200
        assert client.get(ASK)["Location"] == "/admin/"


class TestSettingUp:
    def test_leads_there_shows_the_secret_twice_and_lets_in(self, ann):
        client = after_password(ann)
        page = client.get("/admin/core/apikey/", follow=True)
        assert page.redirect_chain == [
            (f"{ASK}?next=%2Fadmin%2Fcore%2Fapikey%2F", 302),
            (f"{SET_UP}?next=%2Fadmin%2Fcore%2Fapikey%2F", 302),
        ]
        secret = shown_secret(page)
        assert "<svg" in page.content.decode()
        assert "no-store" in page["Cache-Control"]

        answer = client.post(page.redirect_chain[-1][0], {"code": code(secret)})

        assert answer["Location"] == "/admin/core/apikey/"
        assert client.get("/admin/core/apikey/").status_code == 200
        assert secret_of(ann) == secret
        assert actions() == [("staff.second_factor_enrolled", f"staff:{ann.pk}")]

    def test_keeps_nothing_until_the_code_is_right(self, ann):
        client = after_password(ann)
        secret = shown_secret(client.get(SET_UP))

        page = client.post(SET_UP, {"code": code(secret, later=5)})

        assert "not what the app shows" in page.content.decode()
        assert shown_secret(page) == secret
        assert StaffDevice.objects.count() == 0
        assert client.get("/admin/")["Location"].startswith(ASK)

    def test_uses_the_first_code_up(self, ann):
        client = after_password(ann)
        first = code(secret := shown_secret(client.get(SET_UP)))
        client.post(SET_UP, {"code": first})

        with pytest.raises(second_factor.CodeRefused):
            second_factor.verify(ann, code=first, at=timezone.now())
        assert secret_of(ann) == secret

    def test_shows_each_session_a_secret_of_its_own(self, ann):
        thief, owner = after_password(ann), after_password(ann)
        stolen, own = shown_secret(thief.get(SET_UP)), shown_secret(owner.get(SET_UP))
        assert stolen != own
        owner.post(SET_UP, {"code": code(own)})

        answer = thief.post(SET_UP, {"code": code(stolen)})

        assert answer["Location"] == ASK
        assert secret_of(ann) == own
        assert thief.get("/admin/")["Location"].startswith(ASK)

    def test_leaves_a_second_factor_that_is_there_alone(self, ann):
        enrolled(ann)
        client = after_password(ann)
        assert client.get(SET_UP)["Location"] == ASK
        assert client.post(SET_UP, {"code": code()})["Location"] == ASK
        with pytest.raises(second_factor.AlreadyEnrolled):
            second_factor.enrol(ann, secret=b"x" * 20, code=code(b"x" * 20), at=timezone.now())
        assert secret_of(ann) == SECRET

    def test_keeps_the_secret_sealed_everywhere(self, ann):
        client = after_password(ann)
        secret = shown_secret(client.get(SET_UP))
        kept = str(client.session.items())
        assert base64.b32encode(secret).decode() not in kept
        assert base64.b64encode(secret).decode() not in kept

        client.post(SET_UP, {"code": code(secret)})

        assert secret not in bytes(StaffDevice.objects.get().sealed_key)
        assert "second_factor_secret" not in client.session


class TestCodes:
    @pytest.fixture
    def client(self, ann):
        enrolled(ann)
        return after_password(ann)

    @pytest.mark.parametrize(
        "next_page", ["https://evil.example/", "//evil.example/", "javascript:x", ""]
    )
    def test_lead_back_to_the_admin_and_nowhere_else(self, client, next_page):
        assert client.post(f"{ASK}?next={next_page}", {"code": code()})["Location"] == "/admin/"

    def test_may_be_typed_as_apps_show_them(self, client):
        now = code()
        assert client.post(ASK, {"code": f"{now[:3]} {now[3:]}"}).status_code == 302

    def test_give_the_session_a_new_name(self, client):
        before = client.session.session_key
        client.post(ASK, {"code": code()})
        assert client.session.session_key != before

    def test_are_recorded_when_they_open(self, client, ann):
        client.post(ASK, {"code": code()})
        assert actions() == [("staff.signed_in", f"staff:{ann.pk}")]

    def test_open_once(self, client, ann):
        used = code()
        client.post(ASK, {"code": used})
        again = after_password(ann)

        page = again.post(ASK, {"code": used})

        assert "used already" in page.content.decode()
        assert again.get("/admin/")["Location"].startswith(ASK)

    @pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "12345\n"])
    def test_that_are_none_cost_nothing(self, client, typed):
        assert client.post(ASK, {"code": typed}).context["form"].errors
        assert StaffDevice.objects.get().throttling_failure_count == 0

    def test_that_are_wrong_make_the_next_wait_twice_as_long(self, client, ann):
        wrong = code(later=5)
        assert client.post(ASK, {"code": wrong}).status_code == 200

        too_soon = client.post(ASK, {"code": code()})

        assert too_soon.status_code == 429
        assert too_soon["Retry-After"] == "1"
        assert "Too many wrong codes" in too_soon.content.decode()
        assert client.get("/admin/")["Location"].startswith(ASK)
        waits = []
        for count in (2, 3, 10):
            device = StaffDevice.objects.get()
            device.throttling_failure_count = count
            device.throttling_failure_timestamp = timezone.now()
            waits.append(device.wait_seconds(at=timezone.now()))
        assert waits == [2, 4, 512]
        assert [action for action, _ in actions()] == ["staff.code_refused"]

    def test_are_heard_again_after_the_wait(self, client, ann):
        client.post(ASK, {"code": code(later=5)})
        StaffDevice.objects.update(
            throttling_failure_timestamp=timezone.now() - timedelta(seconds=1)
        )
        assert client.post(ASK, {"code": code()}).status_code == 302
        assert StaffDevice.objects.get().throttling_failure_count == 0

    def test_are_good_half_a_minute_early_and_late(self):
        at = timezone.now()
        step = int(at.timestamp()) // 30
        codes = [code_at(SECRET, step + late) for late in range(-2, 3)]
        found = [matching_step(SECRET, one, at=at) for one in codes]
        assert found == [None, step - 1, step, step + 1, None]
        assert matching_step(SECRET, code_at(SECRET, step), at=at, after=step) is None

    def test_are_those_of_the_standard(self):
        # RFC 6238, appendix B, with six of its eight digits.
        secret = b"12345678901234567890"
        known = {59: "287082", 1111111109: "081804", 2000000000: "279037"}
        assert {at: code_at(secret, at // 30) for at in known} == known


class TestForgetting:
    @pytest.fixture
    def chief(self):
        user = member("sue", "superuser")
        enrolled(user)
        return user

    def test_puts_the_member_outside_at_once_and_lets_them_start_anew(self, chief, ann):
        enrolled(ann)
        inside = signed_in(ann)
        assert inside.get("/admin/").status_code == 200
        url = f"/admin/auth/user/{ann.pk}/reset-factor/"
        boss = signed_in(chief)
        assert boss.get(url).status_code == 200
        assert second_factor.device_of(ann) is not None

        page = boss.post(url, follow=True)

        assert "They set up a new one" in page.content.decode()
        assert actions(subject_id=str(ann.pk)) == [
            ("staff.second_factor_reset", f"staff:{chief.pk}")
        ]
        assert inside.get("/admin/", follow=True).redirect_chain[-1][0].startswith(SET_UP)
        enrolled(ann)  # a session that trusted the old device does not trust the new one
        assert inside.get("/admin/")["Location"].startswith(ASK)

    def test_says_when_there_is_nothing_to_forget(self, chief, ann):
        page = signed_in(chief).post(f"/admin/auth/user/{ann.pk}/reset-factor/", follow=True)
        assert "has no second factor" in page.content.decode()
        assert actions(subject_id=str(ann.pk)) == []

    def test_is_done_by_another_superuser_only(self, chief, ann):
        enrolled(ann)
        for who, whom in ((chief, chief), (ann, chief), (ann, ann)):
            client = signed_in(who)
            assert client.post(f"/admin/auth/user/{whom.pk}/reset-factor/").status_code == 403
        assert StaffDevice.objects.count() == 2


def test_a_new_password_ends_every_other_session(settings):
    user = member("ann", "viewer")
    enrolled(user)
    here, there = signed_in(user), signed_in(user)

    here.post(
        "/admin/password_change/",
        {
            "old_password": PASSWORD,
            "new_password1": "some-other-words-now",
            "new_password2": "some-other-words-now",
        },
    )

    assert User.objects.get().check_password("some-other-words-now")
    assert here.get("/admin/").status_code == 200
    assert there.get("/admin/")["Location"].startswith("/admin/login/")
    assert actions() == [("staff.password_set", f"staff:{user.pk}")]


def test_a_session_ends_after_a_quarter_of_an_hour_without_a_click(settings):
    client = signed_in(member("ann", "viewer"))
    client.get("/admin/second-factor/")
    assert client.session.get_expiry_age() == 15 * 60
