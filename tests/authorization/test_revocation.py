"""A key that is revoked opens nothing any more, in any process; one that is rotated never fails."""

import threading
import time
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from core.auth import api_keys
from core.auth.api_key_model import ApiKey
from tests.live.factories import web_process

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PROCESSES = 2


@pytest.fixture(scope="module")
def webs(lasting_issuer, django_db_setup):
    """Two web processes, each on a connection that stays open."""
    with ExitStack() as stack:
        webs = [stack.enter_context(web_process(lasting_issuer)) for _ in range(PROCESSES)]
        for web in webs:
            web.wait_until_ready()
        yield [
            stack.enter_context(
                httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=60, trust_env=False)
            )
            for web in webs
        ]


def new_key():
    return api_keys.create(label="a service", scopes=["accounts:read"])


def status(client, text):
    return client.get("/api/me", headers={"X-API-Key": text}).status_code


def test_a_revoked_key_is_refused_by_every_process_from_its_next_call_on(webs):
    for key in [new_key() for _ in range(5)]:
        # Twice each, so that whatever a process might remember of a key it remembers.
        assert [status(client, key.text) for client in webs * 2] == [200] * 2 * PROCESSES

        api_keys.revoke(public_id=key.key.public_id, at=timezone.now())

        assert [status(client, key.text) for client in webs] == [401] * PROCESSES


class Caller:
    """Calls without a pause, with the newest of the keys that it knows."""

    def __init__(self, webs, key):
        self._webs = webs
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.keys = [key]
        self.answers = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _call(self):
        while not self._is_over.wait(0.02):
            key = self.keys[-1]
            client = self._webs[len(self.answers) % PROCESSES]
            self.answers.append((key, status(client, key.text)))

    def wait_for(self, count):
        """Wait until so many calls with the newest key were answered."""
        ends = time.monotonic() + 60
        while sum(key is self.keys[-1] for key, _ in self.answers) < count:
            assert time.monotonic() < ends
            assert self._thread.is_alive()
            time.sleep(0.02)


def test_a_rotation_fails_no_call(webs):
    """Fifty calls a second go on with the old key, then with the new one; then the old one ends."""
    old, at = new_key(), timezone.now()
    end = at + timedelta(hours=1)
    with Caller(webs, old) as caller:
        caller.wait_for(20)
        new = api_keys.rotate(public_id=old.key.public_id, at=at, overlap=end - at)
        caller.wait_for(40)  # the old one goes on
        caller.keys.append(new)
        caller.wait_for(20)

    assert {answer for _, answer in caller.answers} == {200}
    hour_over = ApiKey.objects.filter(pk=old.key.pk, expires_at=end).update(expires_at=at)
    assert hour_over == 1
    assert [status(client, old.text) for client in webs] == [401] * PROCESSES
    assert [status(client, new.text) for client in webs] == [200] * PROCESSES
