"""API keys: shown once, stored as a hash, ended at once."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.auth import Kind, api_keys
from core.auth.api_key_model import ApiKey
from core.errors import Invalid, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def new():
    return api_keys.create(label="frontend", scopes=["trading:read", "act_for"])


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

    def test_refuses_scopes_nobody_asks_for_and_keys_without_an_owner(self):
        with pytest.raises(Invalid, match="Unknown scope: everything"):
            api_keys.create(label="x", scopes=["everything"])
        with pytest.raises(Invalid):
            api_keys.create(label=" ", scopes=[])
        assert ApiKey.objects.count() == 0


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
        hour = timedelta(hours=1)
        successor = api_keys.rotate(public_id=new.key.public_id, at=NOW, overlap=hour)

        both = [api_keys.authenticate(k.text, at=NOW + hour / 2) for k in (new, successor)]
        assert both[0].scopes == both[1].scopes
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(new.text, at=NOW + hour)
        assert api_keys.authenticate(successor.text, at=NOW + hour).expires_at is None

    def test_never_lengthens_the_old_key(self):
        end = timezone.now() + timedelta(minutes=10)
        new = api_keys.create(label="x", scopes=[], expires_at=end)
        successor = api_keys.rotate(
            public_id=new.key.public_id, at=timezone.now(), overlap=timedelta(days=1)
        )
        assert ApiKey.objects.get(pk=new.key.pk).expires_at == end
        assert successor.key.expires_at is not None
        assert end <= successor.key.expires_at <= end + timedelta(seconds=10)

    def test_does_not_revive_a_key(self, new):
        api_keys.revoke(public_id=new.key.public_id, at=NOW)
        for public_id in (new.key.public_id, "0" * 16):
            with pytest.raises(NotFound):
                api_keys.rotate(public_id=public_id, at=NOW, overlap=timedelta(0))
        assert ApiKey.objects.count() == 1


class TestRevoke:
    def test_keeps_the_first_time_when_repeated(self, new):
        api_keys.revoke(public_id=new.key.public_id, at=NOW)
        api_keys.revoke(public_id=new.key.public_id, at=NOW + timedelta(days=1))
        assert ApiKey.objects.get(pk=new.key.pk).revoked_at == NOW

    def test_says_when_there_is_no_such_key(self):
        with pytest.raises(NotFound):
            api_keys.revoke(public_id="0" * 16, at=NOW)


class TestCommand:
    def run(self, *arguments) -> str:
        out = StringIO()
        call_command("api_key", *arguments, stdout=out)
        return out.getvalue().strip()

    def test_goes_through_the_life_of_a_key(self):
        text = self.run("create", "--label", "cron", "--scope", "chat:read", "--days", "9")
        first = api_keys.authenticate(text, at=timezone.now()).key_id
        second = self.run("rotate", first, "--overlap-hours", "1")
        listing = self.run("list")
        assert [line.split()[1:3] for line in listing.splitlines()] == [["live", "cron"]] * 2
        assert text not in listing
        assert self.run("revoke", first) == f"{first} is revoked."
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(text, at=timezone.now())
        assert api_keys.authenticate(second, at=timezone.now()).scopes == {"chat:read"}

    def test_explains_what_is_wrong(self):
        with pytest.raises(CommandError, match="There is no such key"):
            self.run("revoke", "nothing")
