"""The vendors of these tests."""

from collections.abc import Iterator

import pytest
from rest_framework.test import APIClient

from core.tests.sandboxes import Sandbox, running
from funding import gateways
from funding.gateways.fake import FakeFunds, FakeLinks
from ledger.tests.agreement import ledger_agrees, may_differ  # noqa: F401 - fixtures


@pytest.fixture
def links(settings) -> FakeLinks:
    # It answers at once, and a machine that is busy for half a second is no vendor that hangs.
    settings.VENDOR_TOTAL_SECONDS = 10
    return FakeLinks()


@pytest.fixture
def funds(links: FakeLinks) -> Iterator[FakeFunds]:
    fake = FakeFunds()
    with gateways.use(funds=fake, links=links):
        yield fake


@pytest.fixture
def api():
    """A client that is whoever the test says."""

    def signed_in(principal):
        client = APIClient()
        client.force_authenticate(user=principal)
        return client

    return signed_in


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: Sandbox, settings) -> Sandbox:
    """A real sandbox with nothing in it, to which the real clients talk; its clock stands still."""
    _sandbox.reset()
    _sandbox.stop_clock()
    _sandbox.point(settings)
    return _sandbox
