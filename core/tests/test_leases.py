"""One holder at a time, and a fence that only grows."""

import pytest

from core import leases
from core.tests.parcels import pass_time

pytestmark = pytest.mark.django_db


def test_a_held_lease_is_not_given_again():
    assert leases.acquire("x", seconds=10) is not None
    assert leases.acquire("x", seconds=10) is None
    assert leases.acquire("y", seconds=10) is not None


def test_a_lease_that_ran_out_goes_to_the_next_with_a_higher_fence():
    first = leases.acquire("x", seconds=10)
    pass_time(11)
    second = leases.acquire("x", seconds=10)

    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1
    assert not leases.renew(first, seconds=10)
    assert leases.renew(second, seconds=10)


def test_renewing_keeps_others_out():
    lease = leases.acquire("x", seconds=10)
    assert lease is not None
    for _ in range(3):
        pass_time(8)
        assert leases.renew(lease, seconds=10)

    assert leases.acquire("x", seconds=10) is None


def test_a_released_lease_is_free_at_once():
    lease = leases.acquire("x", seconds=10)
    assert lease is not None
    leases.release(lease)

    assert leases.acquire("x", seconds=10) is not None


def test_a_renewal_that_comes_after_the_release_does_not_bring_it_back():
    lease = leases.acquire("x", seconds=10)
    assert lease is not None
    leases.release(lease)

    assert not leases.renew(lease, seconds=10)
    assert leases.acquire("x", seconds=10) is not None
