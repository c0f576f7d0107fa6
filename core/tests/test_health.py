"""Liveness says that the process answers, readiness what it can rely on."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from core import health, realtime, tasks

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
TASKS = (tasks.beat_heartbeat, tasks.beat_heartbeat_money, tasks.beat_heartbeat_agents)
KEYS = [health.PRICES_KEY, *(health.HEARTBEAT_KEY.format(queue=q) for q in health.QUEUES)]


@pytest.fixture
def store():
    realtime.connection.cache_clear()
    store = realtime.connection()
    store.delete(*KEYS)
    yield store
    store.delete(*KEYS)
    realtime.connection.cache_clear()


def checks(at=NOW) -> dict[str, health.Check]:
    return {check.name: check for check in health.check_all(at=at)}


class TestChecks:
    pytestmark = pytest.mark.django_db

    def test_a_worker_is_well_for_half_a_minute_after_its_heartbeat(self, store):
        health.beat_heartbeat(queue="money", at=NOW)
        names = {name: (c.is_ok, c.age_seconds, c.reason) for name, c in checks().items()}
        assert names == {
            "database": (True, None, None),
            "redis": (True, None, None),
            "worker:money": (True, 0, None),
            "worker:default": (False, None, "never seen"),
            "worker:agents": (False, None, "never seen"),
            "prices": (False, None, "never seen"),
        }
        assert checks(NOW + timedelta(seconds=30))["worker:money"].is_ok
        late = checks(NOW + timedelta(seconds=31))["worker:money"]
        assert (late.is_ok, late.age_seconds, late.reason) == (False, 31, "too old")

    def test_old_prices_inform_without_taking_the_process_out(self, store):
        store.set(health.PRICES_KEY, NOW.timestamp())
        later = checks(NOW + timedelta(hours=8))["prices"]
        assert (later.is_ok, later.is_required, later.age_seconds) == (False, False, 8 * 3600)

    def test_an_unreadable_time_counts_as_never_seen(self, store):
        store.set(health.PRICES_KEY, "yesterday")
        assert checks()["prices"].reason == "never seen"

    def test_production_is_told_of_a_login_that_leads_to_the_owner(self, store, settings):
        settings.ENVIRONMENT = "production"
        login = checks()["database login"]
        assert (login.is_ok, login.is_required) == (False, False)
        assert login.reason == "logs in as the tables' owner; see docs/deployment.md"

    def test_redis_away_is_one_failed_check_and_no_error(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        realtime.connection.cache_clear()
        try:
            found = checks()
        finally:
            realtime.connection.cache_clear()
        assert list(found) == ["database", "redis"]
        assert (found["redis"].is_ok, found["redis"].reason) == (False, "ConnectionError")


class TestRoutes:
    @pytest.mark.parametrize("path", ["/health", "/api/health"])
    def test_liveness_asks_nobody(self, path, settings):
        response = Client().get(path, headers={"Authorization": "Bearer rubbish"})
        assert json.loads(response.content) == {"status": "healthy", "version": settings.VERSION}

    @pytest.mark.django_db
    def test_readiness_is_503_until_every_worker_has_beaten(self, store):
        response = Client().get("/api/ready")
        assert (response.status_code, json.loads(response.content)["status"]) == (503, "not_ready")
        for task in TASKS:
            task()
        response = Client().get("/api/ready")
        body = json.loads(response.content)
        assert (response.status_code, body["status"]) == (200, "ready")
        assert [check["name"] for check in body["checks"]] == [
            "database", "redis", "worker:money", "worker:default", "worker:agents", "prices",
        ]  # fmt: skip
