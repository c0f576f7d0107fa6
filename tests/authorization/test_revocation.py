"""A key that is revoked opens nothing any more, in any process; one that is rotated never fails."""

import statistics
import threading
import time
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from core.auth import api_keys
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
                httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=10, trust_env=False)
            )
            for web in webs
        ]


def new_key():
    return api_keys.create(label="a service", scopes=["accounts:read"])


def status(client, text):
    return client.get("/api/me", headers={"X-API-Key": text}).status_code


def test_a_revoked_key_is_refused_by_every_process_within_a_second(webs):
    keys = [new_key() for _ in range(5)]
    for key in keys:
        # Twice each, so that whatever a process might remember of a key it remembers.
        assert [status(client, key.text) for client in webs * 2] == [200] * 2 * PROCESSES

    took = []
    for key in keys:
        api_keys.revoke(public_id=key.key.public_id, at=timezone.now())
        revoked_at = time.monotonic()
        assert [status(client, key.text) for client in webs] == [401] * PROCESSES
        took.append(time.monotonic() - revoked_at)
    assert statistics.median(took) <= 1


def test_a_rotation_fails_no_call(webs):
    """Fifty calls a second go on with the old key, then with the new one; then the old one ends."""
    old = new_key()
    texts, answers, done = [old.text], [], threading.Event()

    def call():
        while not done.wait(0.02):
            client = webs[len(answers) % PROCESSES]
            answers.append(status(client, texts[-1]))

    caller = threading.Thread(target=call)
    caller.start()
    try:
        time.sleep(0.5)
        at = timezone.now()
        texts.append(
            api_keys.rotate(public_id=old.key.public_id, at=at, overlap=timedelta(seconds=1)).text
        )
        time.sleep(1.5)
    finally:
        done.set()
        caller.join()

    assert len(answers) >= 20
    assert set(answers) == {200}
    assert [status(client, old.text) for client in webs] == [401] * PROCESSES
    assert [status(client, texts[-1]) for client in webs] == [200] * PROCESSES
