"""API keys in the admin: made and succeeded by who may, shown once, kept nowhere."""

import re
from datetime import timedelta

import pytest
import structlog
from django.db import connection
from django.utils import timezone

from core.auth import api_keys
from core.auth.api_key_model import ApiKey
from core.ids import new_id
from core.tests.staff_people import actions, enrolled, member, secret_of, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/core/apikey/"
TEXT = re.compile(r"clr_test_[0-9a-f]{16}_[0-9a-f]{48}")
MANAGERS = ("approver", "superuser")
OTHERS = ("", "viewer", "operator")


@pytest.fixture
def approver():
    return signed_in(member("ann", "approver"))


@pytest.fixture
def key():
    return api_keys.create(label="shop", owner="Web team", scopes=["market:read"], by="tests").key


def wishes(**changes):
    return {
        "key_id": str(new_id()), "label": "shop", "owner": "Web team",
        "scopes": ["market:read", "act_for"], "life": "365",
    } | changes  # fmt: skip


def page_of(key, action="change"):
    return f"{LIST}{key.pk}/{action}/"


def text_in(page):
    (text,) = set(TEXT.findall(page.content.decode()))
    return text


class TestMaking:
    def test_shows_the_text_once_on_a_page_that_nobody_keeps(self, approver):
        page = approver.post(f"{LIST}add/", wishes())

        text = text_in(page)
        key = ApiKey.objects.get()
        assert page.status_code == 200
        assert "no-store" in page["Cache-Control"]
        assert api_keys.authenticate(text, at=timezone.now()).scopes == {"market:read", "act_for"}
        assert (key.label, key.owner) == ("shop", "Web team")
        for again in (LIST, page_of(key), page_of(key, "history"), "/admin/"):
            assert text.split("_")[3] not in approver.get(again).content.decode()

    def test_is_recorded(self, approver):
        approver.post(f"{LIST}add/", wishes())
        key = ApiKey.objects.get()
        assert [action for action, _ in actions(subject_id=key.public_id)] == ["api_key.created"]
        assert actions(subject_id=key.public_id)[0][1].startswith("staff:")

    def test_makes_no_second_key_when_the_page_is_loaded_again(self, approver):
        sent = wishes()
        approver.post(f"{LIST}add/", sent)
        again = approver.post(f"{LIST}add/", sent)

        assert ApiKey.objects.count() == 1
        assert TEXT.search(again.content.decode()) is None
        assert "has been made already" in again.content.decode()

    @pytest.mark.parametrize(("life", "days"), [("30", 30), ("90", 90), ("365", 365), ("0", None)])
    def test_lives_as_long_as_was_chosen(self, approver, life, days):
        approver.post(f"{LIST}add/", wishes(life=life))
        end = ApiKey.objects.get().expires_at
        assert (end and round((end - timezone.now()) / timedelta(days=1))) == days

    @pytest.mark.parametrize(
        "wrong",
        [{"label": ""}, {"owner": " "}, {"scopes": []}, {"scopes": ["everything"]}, {"life": "7"},
         {"key_id": "x"}, {"label": "x" * 101}],
    )  # fmt: skip
    def test_asks_again_when_something_is_missing(self, approver, wrong):
        page = approver.post(f"{LIST}add/", wishes(**wrong))
        assert page.status_code == 200
        assert page.context["form"].errors
        assert ApiKey.objects.count() == 0


class TestRotating:
    def test_shows_the_successor_once_and_ends_the_old_one_later(self, approver, key):
        page = approver.post(page_of(key, "rotate"), {"hours": "2"})

        key.refresh_from_db()
        assert api_keys.authenticate(text_in(page), at=timezone.now()).scopes == {"market:read"}
        assert "no-store" in page["Cache-Control"]
        left = key.expires_at - timezone.now()
        assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)

    def test_makes_no_third_live_key(self, approver, key):
        approver.post(page_of(key, "rotate"), {"hours": "2"})
        again = approver.post(page_of(key, "rotate"), {"hours": "2"})

        assert ApiKey.objects.count() == 2
        assert f"Revoke {key.public_id} once nobody uses it" in again.content.decode()
        assert TEXT.search(again.content.decode()) is None

    @pytest.mark.parametrize("hours", ["", "-1", "721", "soon"])
    def test_asks_again_for_a_sensible_overlap(self, approver, key, hours):
        assert approver.post(page_of(key, "rotate"), {"hours": hours}).context["form"].errors
        assert ApiKey.objects.count() == 1

    def test_links_the_keys_of_a_family(self, approver, key):
        approver.post(page_of(key, "rotate"), {"hours": "2"})
        successor = ApiKey.objects.exclude(pk=key.pk).get()
        assert page_of(successor) in approver.get(page_of(key)).content.decode()


class TestRevoking:
    def test_asks_first_and_then_ends_the_key(self, approver, key):
        assert "Revoke now" in approver.get(page_of(key, "revoke")).content.decode()
        key.refresh_from_db()
        assert key.revoked_at is None

        approver.post(page_of(key, "revoke"))

        key.refresh_from_db()
        assert key.revoked_at is not None
        assert actions(subject_id=key.public_id)[-1][0] == "api_key.revoked"

    def test_ends_several_from_the_list(self, approver, key):
        other = api_keys.create(label="other", scopes=[]).key
        body = {"action": "revoke", "_selected_action": [str(key.pk), str(other.pk)]}
        page = approver.post(LIST, body, follow=True)

        assert ApiKey.objects.filter(revoked_at=None).count() == 0
        assert "Revoked 2 keys." in page.content.decode()

    def test_offers_nothing_for_a_key_that_has_ended(self, approver, key):
        api_keys.revoke(public_id=key.public_id, at=timezone.now())
        page = approver.get(page_of(key)).content.decode()
        assert page_of(key, "rotate") not in page
        for action in ("rotate", "revoke"):
            assert approver.post(page_of(key, action), {"hours": "1"}).status_code == 403
        assert ApiKey.objects.count() == 1

    @pytest.mark.parametrize("pk", ["nothing", "00000000-0000-0000-0000-000000000000"])
    @pytest.mark.parametrize("action", ["change", "rotate", "revoke"])
    def test_answers_404_for_no_key(self, approver, pk, action):
        assert approver.get(f"{LIST}{pk}/{action}/").status_code == 404


class TestWhoMay:
    @pytest.mark.parametrize("role", OTHERS)
    def test_others_make_succeed_and_end_no_key(self, role, key):
        client = signed_in(member("otto", role))
        answers = [
            client.get(f"{LIST}add/"),
            client.post(f"{LIST}add/", wishes()),
            client.get(page_of(key, "rotate")),
            client.post(page_of(key, "rotate"), {"hours": "1"}),
            client.get(page_of(key, "revoke")),
            client.post(page_of(key, "revoke")),
        ]
        client.post(LIST, {"action": "revoke", "_selected_action": [str(key.pk)]})

        assert {answer.status_code for answer in answers} == {403}
        assert ApiKey.objects.get().revoked_at is None
        assert actions() == []

    @pytest.mark.parametrize("role", MANAGERS)
    def test_approvers_and_superusers_do(self, role, key):
        client = signed_in(member("ann", role))
        pages = [f"{LIST}add/", page_of(key, "rotate"), page_of(key, "revoke")]
        assert [client.get(page).status_code for page in pages] == [200, 200, 200]

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_viewers_look(self, role, key):
        client = signed_in(member("vic", role))
        pages = [client.get(LIST), client.get(page_of(key))]
        assert [page.status_code for page in pages] == [200, 200]
        for page in pages:
            assert "/add/" not in page.content.decode()
            assert page_of(key, "rotate") not in page.content.decode()


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "labels"),
        [
            ("state=LIVE", {"idle", "new", "soon", "used", "forever"}),
            ("state=EXPIRED", {"expired"}),
            ("state=REVOKED", {"revoked"}),
            ("use=idle", {"idle", "forever"}),
            ("end=soon", {"soon"}),
            ("q=Web+team", {"new"}),
            ("", {"idle", "new", "soon", "used", "forever", "expired", "revoked"}),
        ],
    )
    def test_find_the_keys_somebody_has_to_look_at(self, approver, query, labels):
        now, day = timezone.now(), timedelta(days=1)
        rows = {
            "new": {"expires_at": now + 15 * day, "owner": "Web team"},
            "soon": {"expires_at": now + 13 * day},
            "idle": {"created_at": now - 40 * day, "last_used_at": now - 31 * day},
            "forever": {"created_at": now - 31 * day},
            "used": {"created_at": now - 40 * day, "last_used_at": now - 29 * day},
            "expired": {"created_at": now - 40 * day, "expires_at": now - day},
            "revoked": {"created_at": now - 40 * day, "revoked_at": now, "expires_at": now - day},
        }
        for label, columns in rows.items():
            made = api_keys.create(label=label, scopes=[]).key
            ApiKey.objects.filter(pk=made.pk).update(**columns)

        found = approver.get(f"{LIST}?{query}").context["cl"].queryset

        assert set(found.values_list("label", flat=True)) == labels


class TestNothingIsKept:
    def test_the_database_and_the_log_hold_no_secret(self, settings):
        settings.STAFF_SECOND_FACTOR = True
        user = member("sue", "superuser")
        enrolled(user)
        client = signed_in(user)
        with structlog.testing.capture_logs() as logged:
            texts = [text_in(client.post(f"{LIST}add/", wishes()))]
            key = ApiKey.objects.get()
            texts.append(text_in(client.post(page_of(key, "rotate"), {"hours": "1"})))
            api_keys.authenticate(texts[0], at=timezone.now())

        kept = dump() + repr(logged)
        assert key.public_id in kept
        for text in texts:
            assert text.split("_")[3] not in kept
        for spelling in (secret_of(user).hex(), secret_of(user).decode()):
            assert spelling not in kept


def dump() -> str:
    """Read every column of every table, as an intruder would."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute("SET ROLE NONE")
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [text for (text,) in cursor.fetchall()]
        cursor.execute("RESET ROLE")
    return "\n".join(rows)
