from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from rest_framework.test import APIClient

from agents.tests.factories import Customer
from agents.tests.fixtures import (  # noqa: F401 - pytest finds fixtures by name
    checkpoint_tables,
    customer,
    pretend,
    pretend_server,
)
from core import realtime
from core.auth import Kind, Principal


def client_of(principal: Principal) -> APIClient:
    client = APIClient()
    client.force_authenticate(user=principal)  # type: ignore[arg-type]  # ours is no Django user
    return client


@pytest.fixture
def client(customer: Customer) -> APIClient:  # noqa: F811 - the fixture above
    return client_of(customer.principal)


@pytest.fixture
def stranger() -> APIClient:
    return client_of(Principal(kind=Kind.CUSTOMER, user_id=str(uuid4())))


@pytest.fixture
def at_once() -> Iterator[None]:
    """Do queued work where it is queued, as if a worker were very fast."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


@pytest.fixture
def impatient(settings: Any) -> None:
    settings.CHAT_WAIT_SECONDS = 0.2


@pytest.fixture
def redis_away(settings: Any) -> Callable[[], AbstractContextManager[None]]:
    """Point Redis clients, while the block lasts, at a port where nothing listens."""

    @contextmanager
    def away() -> Iterator[None]:
        before = settings.REDIS_URL
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        realtime.connection.cache_clear()
        try:
            yield
        finally:
            settings.REDIS_URL = before
            realtime.connection.cache_clear()

    return away
