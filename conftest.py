"""The product's database role for every test, once the owner has migrated."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as trying

from core.tests import emptying

emptying.install()
# How long an example takes says how busy the machine is, and nothing about us.
trying.register_profile("clera", deadline=None, suppress_health_check=[HealthCheck.too_slow])
trying.load_profile("clera")
pytest_plugins = ["core.tests.identity", "core.tests.lanes", "core.tests.silence"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Take the product's role, so that row-level security binds the tests as well."""
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            # Tests of whole processes empty the tables afterwards; the product never may.
            cursor.execute("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO clera_app")
        connection.close()
        connection.settings_dict["OPTIONS"]["options"] = "-c role=clera_app"
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["OPTIONS"].pop("options")
