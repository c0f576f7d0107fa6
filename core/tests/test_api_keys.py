"""API keys: shown once, stored as a hash, two live in a family, ended at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from core.audit.models import AuditEntry
from core.auth import SYSTEM, Kind, Principal, acting_as, api_keys
from core.auth.api_key_model import ApiKey
from core.auth.api_keys import KeyExists, TooManyLiveKeys
from core.errors import Invalid, NotFound, Unauthenticated
from core.ids import new_id

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STAFF = Principal.staff(7)


@pytest.fixture
def new():
    return api_keys.create(label="frontend", owner="Web team", scopes=["trading:read", "act_for"])


def rotate(key, *, at=NOW, overlap=HOUR, by="manage.py"):
    return api_keys.rotate(public_id=key.key.public_id, at=at, overlap=overlap, by=by)


def audited():
    with acting_as(SYSTEM):
        entries = AuditEntry.objects.filter(subject_kind="core.ApiKey").order_by("pk")
        return [(entry.action, entry.principal, entry.subject_id) for entry in entries]


class TestCreate:
    def test_makes_a_key_that_opens_what_it_names(self, new):
        principal = api_keys.authenticate(new.text, at=NOW)
        assert principal.kind is Kind.SERVICE
        assert principal.key_id == new.key.public_id
        assert principal.scopes == {"trading:read", "act_for"}
        assert (principal.can("trading:read"), principal.can("trading:write")) == (True, False)
        assert principal.user_id is None

    def test_stores_no_part_of_the_secret(self, new):
        prefix, environment, public_id, secret = new.text.split("_")
        assert (prefix, environment, len(secret)) == ("clr", "test", 48)
        stored = ApiKey.objects.filter(public_id=public_id).values().get()
        assert secret not in str(stored)
        assert secret not in repr(new)

    def test_never_makes_the_same_key_twice(self, new):
        assert api_keys.create(label="frontend", scopes=[]).text != new.text

    def test_keeps_who_answers_for_it_and_records_who_made_it(self):
        key = api_keys.create(label=" cron ", owner=" Ops ", scopes=[], by=STAFF).key
        assert (key.label, key.owner, key.family) == ("cron", "Ops", key.pk)
        assert audited() == [("api_key.created", "staff:7", key.public_id)]

    @pytest.mark.parametrize(
        ("wishes", "words"),
        [
            ({"scopes": ["everything"]}, "Unknown scope: everything"),
            ({"label": " "}, "Say who uses the key"),
            ({"owner": ""}, "Say who answers for it"),
            ({"label": "x" * 101}, "label is too long"),
            ({"owner": "x" * 101}, "owner is too long"),
        ],
    )
    def test_refuses_scopes_nobody_asks_for_and_keys_of_nobody(self, wishes, words):
        with pytest.raises(Invalid, match=words):
            api_keys.create(**{"label": "x", "owner": "y", "scopes": []} | wishes)
        assert ApiKey.objects.count() == 0
        assert audited() == []

    def test_makes_one_key_however_often_a_form_is_sent(self):
        wishes = {"label": "x", "scopes": [], "key_id": new_id()}
        first = api_keys.create(**wishes)
        with pytest.raises(KeyExists):
            api_keys.create(**wishes)
        assert ApiKey.objects.get().secret_sha256 == first.key.secret_sha256
        assert len(audited()) == 1


class TestAuthenticate:
    def test_refuses_every_text_that_is_not_the_key(self, new):
        head, _, secret = new.text.rpartition("_")
        texts = [
            "", "clr_", head, f"{head}_", f"{head}_{'0' * 48}", f"{head}_{secret[:-1]}",
            new.text + "0", new.text.upper(), new.text + "\n", new.text.replace("test", "live"),
            f"clr_test_{'0' * 16}_{secret}", new.text.replace("clr", "elr"),
        ]  # fmt: skip
        for text in texts:
            with pytest.raises(Unauthenticated) as refused:
                api_keys.authenticate(text, at=NOW)
            assert refused.value.detail == Unauthenticated.detail

    def test_refuses_a_test_key_where_money_is_real(self, new, settings):
        settings.ENVIRONMENT = "production"
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(new.text, at=NOW)
        live = api_keys.create(label="x", scopes=[])
        assert live.text.startswith("clr_live_")
        assert api_keys.authenticate(live.text, at=NOW).key_id == live.key.public_id

    def test_ends_with_its_expiry(self):
        new = api_keys.create(label="x", scopes=[], expires_at=NOW)
        assert api_keys.authenticate(new.text, at=NOW - timedelta(seconds=1)).expires_at == NOW
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(new.text, at=NOW)

    def test_ends_at_once_when_revoked(self, new):
        api_keys.revoke(public_id=new.key.public_id, at=NOW)
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(new.text, at=NOW)

    def test_notes_its_use_at_most_once_a_minute(self, new, django_assert_num_queries):
        def used_at(at):
            api_keys.authenticate(new.text, at=at)
            return ApiKey.objects.get(pk=new.key.pk).last_used_at

        assert used_at(NOW) == NOW
        assert used_at(NOW + timedelta(seconds=59)) == NOW
        assert used_at(NOW + timedelta(seconds=60)) == NOW + timedelta(seconds=60)
        with django_assert_num_queries(1):
            api_keys.authenticate(new.text, at=NOW + timedelta(seconds=61))


class TestRotate:
    def test_lets_both_keys_live_for_the_overlap(self, new):
        successor = rotate(new)

        both = [api_keys.authenticate(k.text, at=NOW + HOUR / 2) for k in (new, successor)]
        assert both[0].scopes == both[1].scopes
        assert successor.key.owner == "Web team"
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(new.text, at=NOW + HOUR)
        assert api_keys.authenticate(successor.text, at=NOW + HOUR).expires_at is None

    def test_never_lengthens_the_old_key(self):
        end = timezone.now() + timedelta(minutes=10)
        new = api_keys.create(label="x", scopes=[], expires_at=end)
        successor = rotate(new, at=timezone.now(), overlap=timedelta(days=1))
        assert ApiKey.objects.get(pk=new.key.pk).expires_at == end
        assert successor.key.expires_at is not None
        assert end <= successor.key.expires_at <= end + timedelta(seconds=10)

    def test_does_not_revive_a_key(self, new):
        api_keys.revoke(public_id=new.key.public_id, at=NOW)
        for public_id in (new.key.public_id, "0" * 16):
            with pytest.raises(NotFound):
                api_keys.rotate(public_id=public_id, at=NOW, overlap=timedelta(0))
        assert ApiKey.objects.count() == 1

    def test_refuses_a_third_live_key_and_names_the_one_to_revoke(self, new):
        second = rotate(new)

        for either in (new, second):
            with pytest.raises(TooManyLiveKeys, match=f"Revoke {new.key.public_id} once") as no:
                rotate(either)
            assert no.value.extra == {"revoke": new.key.public_id}
        assert ApiKey.objects.count() == 2

    @pytest.mark.parametrize("how", ["revoked", "run out"])
    def test_goes_on_once_the_older_key_has_ended(self, new, how):
        second = rotate(new)
        if how == "revoked":
            api_keys.revoke(public_id=new.key.public_id, at=NOW)
        third = rotate(second, at=NOW if how == "revoked" else NOW + HOUR)

        assert third.key.family == second.key.family == new.key.family
        assert [key.pk for key in api_keys.list_live(new.key.family, at=NOW + HOUR / 2)][-2:] == [
            second.key.pk, third.key.pk,
        ]  # fmt: skip

    def test_gives_the_full_life_even_when_the_old_key_was_on_its_way_out(self):
        start = timezone.now()
        new = api_keys.create(label="x", scopes=[], expires_at=start + timedelta(days=365))
        lost = rotate(new, at=start + HOUR / 60)
        api_keys.revoke(public_id=lost.key.public_id, at=start)

        third = rotate(new, at=start + HOUR / 30)

        assert third.key.expires_at is not None
        assert third.key.expires_at - start > timedelta(days=364)

    def test_is_recorded_on_both_keys(self, new):
        successor = rotate(new, by=STAFF)
        ids = new.key.public_id, successor.key.public_id
        assert audited() == [
            ("api_key.created", "manage.py", ids[0]),
            ("api_key.rotated", "staff:7", ids[0]),
            ("api_key.created", "staff:7", ids[1]),
        ]


@pytest.mark.django_db(transaction=True)
class TestRotateTogether:
    def test_twenty_at_once_leave_two_live_keys(self, new):
        start = Event()

        def once(_):
            try:
                start.wait(60)
                return rotate(new).key.public_id
            except TooManyLiveKeys:
                return None
            finally:
                connection.close()

        with ThreadPoolExecutor(20) as pool:
            waiting = [pool.submit(once, number) for number in range(20)]
            start.set()
            made = [one.result(timeout=100) for one in waiting]

        assert sum(public_id is not None for public_id in made) == 1
        assert len(api_keys.list_live(new.key.family, at=NOW)) == 2
        assert ApiKey.objects.count() == 2

    @pytest.mark.urls("core.tests.urls")
    def test_whoever_changes_keys_in_the_overlap_is_never_refused(self, new):
        in_use, is_over, callers = [new.text], Event(), range(4)
        statuses = {caller: [] for caller in callers}

        def call_on(caller):
            client = Client()
            try:
                while not is_over.is_set():
                    headers = {"X-API-Key": in_use[-1]}
                    statuses[caller].append(client.get("/orders", headers=headers).status_code)
            finally:
                connection.close()

        def everyone_has_called(times):
            goals = {caller: len(made) + times for caller, made in statuses.items()}
            while any(len(statuses[caller]) < goal for caller, goal in goals.items()):
                Event().wait(0.01)

        with ThreadPoolExecutor(len(callers)) as pool:
            calling = [pool.submit(call_on, caller) for caller in callers]
            for _ in range(3):
                everyone_has_called(5)
                before = api_keys.list_live(new.key.family, at=timezone.now())[-1]
                successor = api_keys.rotate(
                    public_id=before.public_id, at=timezone.now(), overlap=HOUR
                )
                in_use.append(successor.text)
                everyone_has_called(2)  # so nobody is under way with the old key any more
                api_keys.revoke(public_id=before.public_id, at=timezone.now())
            is_over.set()
            for one in calling:
                one.result(timeout=100)

        assert {status for made in statuses.values() for status in made} == {200}
        answers = [
            Client().get("/orders", headers={"X-API-Key": text}).status_code for text in in_use
        ]
        assert answers == [401, 401, 401, 200]


class TestRevoke:
    def test_keeps_the_first_time_when_repeated(self, new):
        api_keys.revoke(public_id=new.key.public_id, at=NOW, by=STAFF)
        api_keys.revoke(public_id=new.key.public_id, at=NOW + timedelta(days=1))
        assert ApiKey.objects.get(pk=new.key.pk).revoked_at == NOW
        assert audited()[1:] == [("api_key.revoked", "staff:7", new.key.public_id)]

    def test_says_when_there_is_no_such_key(self):
        with pytest.raises(NotFound):
            api_keys.revoke(public_id="0" * 16, at=NOW)


class TestCommand:
    WHO = ("--label", "cron", "--owner", "Ops", "--scope", "chat:read")

    def run(self, *arguments) -> tuple[str, str]:
        out, told = StringIO(), StringIO()
        call_command("api_key", *arguments, stdout=out, stderr=told)
        return out.getvalue(), told.getvalue()

    def test_prints_nothing_but_the_key_where_a_script_reads(self):
        out, told = self.run("create", *self.WHO, "--days", "9")

        key = ApiKey.objects.get()
        assert api_keys.authenticate(out.strip(), at=timezone.now()).key_id == key.public_id
        assert out.count("\n") == 1
        assert key.public_id in told
        assert "shown this once" in told
        assert out.strip() not in told

    def test_lets_a_key_live_for_a_year_unless_told_otherwise(self):
        days = []
        for wish in ([], ["--days", "9"], ["--never"]):
            text, _ = self.run("create", *self.WHO, *wish)
            end = api_keys.authenticate(text.strip(), at=timezone.now()).expires_at
            days.append(end and round((end - timezone.now()) / timedelta(days=1)))
        assert days == [365, 9, None]

    def test_goes_through_the_life_of_a_key(self):
        text = self.run("create", *self.WHO)[0].strip()
        first = api_keys.authenticate(text, at=timezone.now()).key_id
        second, told = self.run("rotate", first, "--overlap-hours", "1")
        assert f"manage.py api_key revoke {first}" in told
        assert self.run("revoke", first)[0] == f"{first} is revoked.\n"
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(text, at=timezone.now())
        assert api_keys.authenticate(second.strip(), at=timezone.now()).scopes == {"chat:read"}

    def test_lists_keys_in_a_table_without_their_text(self):
        text = self.run("create", *self.WHO)[0].strip()
        self.run("rotate", text.split("_")[2])

        listing = self.run("list")[0]

        heads, *rows = listing.splitlines()
        assert heads.split() == [
            "key", "state", "label", "owner", "ends", "used", "family", "scopes",
        ]  # fmt: skip
        assert [row.split()[1:4] for row in rows] == [["live", "cron", "Ops"]] * 2
        assert len({row.split()[-2] for row in rows}) == 1
        assert all(a.index("cron") == b.index("cron") for a, b in pairwise(rows))
        assert text.split("_")[3] not in listing

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("revoke", "nothing"), "There is no such key"),
            (("create", *WHO, "--days", "0"), "say --days 1 or more"),
            (("rotate", "nothing", "--overlap-hours", "-1"), "0 or more"),
            (("create", *WHO[:2], *WHO[4:]), "--owner"),
        ],
    )
    def test_explains_what_is_wrong(self, arguments, words):
        with pytest.raises(CommandError, match=words):
            self.run(*arguments)
        assert ApiKey.objects.count() == 0

    def test_says_how_to_make_the_first_key(self):
        assert "create --help" in self.run("list")[1]
