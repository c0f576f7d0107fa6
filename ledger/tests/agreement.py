"""
For tests with a real sandbox: afterwards, every account's ledger has the broker's figure.

A `conftest.py` imports both fixtures. Only tests that ask for `sandbox` are looked at.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts import selectors as accounts
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected
from ledger import services
from ledger.models import Drift
from ledger.states import DriftState
from ledger.tests import invariants

_DATABASE = {"db", "transactional_db"}


@pytest.fixture
def may_differ() -> None:
    """Be asked for by a test in which the broker is said to have done what it did not do."""


@pytest.fixture(autouse=True)
def ledger_agrees(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the broker's lines in after the test, and find that both have the same cash."""
    asked = set(request.fixturenames)
    # Asked for at once, so that settings and sandbox are still there when the test is over.
    sandbox = request.getfixturevalue("sandbox") if "sandbox" in asked else None
    yield
    if sandbox is None or "may_differ" in asked or not _DATABASE & asked:
        return
    if not connection.needs_rollback:
        sandbox.control("DELETE", "/faults")
        check_all()


def check_all() -> dict[UUID, Decimal]:
    """Compare every active account that the broker knows, and assert that nothing differs."""
    with acting_as(SYSTEM):
        account_ids = [account_id for account_id, _ in accounts.active_owners()]
    found: dict[UUID, Decimal] = {}
    for account_id in account_ids:
        try:
            found[account_id] = _settled(account_id).theirs
        except VendorRejected:
            continue  # made by a factory, without any broker
    with acting_as(SYSTEM):
        states: Any = [DriftState.OPEN, DriftState.PROPOSED]
        is_drifting = Drift.objects.filter(account_id__in=found, state__in=states).exists()
    assert not is_drifting, "the ledger and the broker's books differ"
    invariants.check(broker_cash=found)
    return found


def _settled(account_id: UUID) -> services.Comparison:
    """Compare until nothing moves meanwhile."""
    for seconds in range(5):
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        made = services.compare_account(account_id=account_id, at=at)
        if made.is_settled:
            break
    return made
