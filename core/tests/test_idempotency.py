"""A key is claimed once, with its content; everyone else replays, waits or is refused."""

import threading

import pytest
from django.db import connection, transaction

from core import idempotency
from core.ids import new_id
from core.tests.parcels import pass_time

pytestmark = pytest.mark.django_db


def request(key="k1", content="a", principal="customer:u1", **more):
    fingerprint = idempotency.fingerprint_of({"content": content})
    return idempotency.Request(principal, "post.send", key, fingerprint, **more)


def claim(made):
    mine = new_id()
    with transaction.atomic():
        return idempotency.claim(made, resource_id=mine) == mine


class TestClaim:
    def test_a_new_key_is_ours(self):
        assert claim(request())

    def test_an_answered_key_is_replayed_word_for_word(self):
        first = request()
        claim(first)
        idempotency.store_response(first, status=201, body='{"amount":1.10}')

        with pytest.raises(idempotency.Replay) as caught:
            claim(request())

        assert (caught.value.response_status, caught.value.body) == (201, '{"amount":1.10}')

    def test_a_key_in_progress_says_so(self):
        claim(request())

        with pytest.raises(idempotency.InProgress) as caught:
            claim(request())

        assert caught.value.retry_after_seconds == 1

    def test_a_claim_whose_owner_died_leads_to_its_resource(self):
        first, resource = request(), new_id()
        with transaction.atomic():
            idempotency.claim(first, resource_id=resource)
        pass_time(21)

        with transaction.atomic():
            assert idempotency.claim(request(), resource_id=new_id()) == resource

    def test_another_body_is_refused(self):
        claim(request())

        with pytest.raises(idempotency.KeyReused):
            claim(request(content="b"))

    def test_another_principal_has_keys_of_its_own(self):
        claim(request())

        assert claim(request(principal="customer:u2"))

    def test_the_same_content_under_another_key_is_a_double_tap(self):
        claim(request())

        with pytest.raises(idempotency.PossibleDuplicate):
            claim(request(key="k2"))

    def test_a_refused_double_tap_leaves_its_key_unclaimed(self):
        claim(request())
        with pytest.raises(idempotency.PossibleDuplicate):
            claim(request(key="k2"))
        pass_time(61)

        assert claim(request(key="k2"))

    def test_without_a_key_the_content_guard_stands_alone(self):
        claim(request(key=None))

        with pytest.raises(idempotency.PossibleDuplicate):
            claim(request(key=None))

    def test_a_duplicate_may_be_meant(self):
        claim(request(key=None))

        assert claim(request(key=None, allows_duplicate=True))

    def test_what_was_refused_is_no_first_tap(self):
        refused = request(key="k1")
        claim(refused)
        idempotency.store_response(refused, status=422, body='{"code":"risk_refused"}')

        assert claim(request(key="k2"))

    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_what_had_an_effect_is_a_first_tap_once_answered(self, status):
        done = request(key="k1")
        claim(done)
        idempotency.store_response(done, status=status, body="{}")

        with pytest.raises(idempotency.PossibleDuplicate):
            claim(request(key="k2"))

    def test_a_rolled_back_claim_stores_no_answer(self):
        made = request()
        with transaction.atomic():
            idempotency.claim(made, resource_id=new_id())
            transaction.set_rollback(True)

        idempotency.store_response(made, status=200, body="{}")

        assert claim(request())

    def test_key_order_does_not_change_the_meaning(self):
        assert idempotency.fingerprint_of({"a": 1, "b": 2}) == idempotency.fingerprint_of(
            {"b": 2, "a": 1}
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("keys", [["one"] * 50, [f"key-{n}" for n in range(50)]])
def test_of_fifty_at_once_exactly_one_wins(keys, settings):
    settings.VENDOR_TOTAL_SECONDS = 60  # so that no claim is as old as one whose owner has died
    barrier, wins, losses = threading.Barrier(50), [], []

    def work(key):
        barrier.wait()
        try:
            wins.append(claim(request(key=key)))
        except (idempotency.InProgress, idempotency.PossibleDuplicate) as error:
            losses.append(error.status)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wins == [True]
    assert losses == [409] * 49
