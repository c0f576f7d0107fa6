"""The identity provider whose tokens tests are trusted with; every test may ask for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.tests import issuer as issuers
from core.tests.issuer import Issuer


@pytest.fixture
def issuer(settings: Any) -> Iterator[Issuer]:
    """One of this test alone, which may do with it what it likes."""
    with issuers.serving() as issuer:
        settings.SUPABASE_URL = issuer.url
        yield issuer


@pytest.fixture(scope="session")
def lasting_issuer() -> Iterator[Issuer]:
    """One for processes and worlds that several tests share; nobody changes it."""
    with issuers.serving() as issuer:
        yield issuer
