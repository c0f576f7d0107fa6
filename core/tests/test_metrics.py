"""Monitoring reads the figures of this process and of the leaders, and nobody else does."""

import asyncio
import re
import time
from pathlib import Path

import pytest
import yaml
from django.test import Client
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from core import exposition, loop_lag, metrics, metrics_shelf, realtime

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "docker" / "monitoring"
TOKEN = "t" * 32


@pytest.fixture
def shelf():
    realtime.connection.cache_clear()
    store = realtime.connection()
    yield store
    for key in store.scan_iter("clera:metrics*"):
        store.delete(key)
    realtime.connection.cache_clear()


def ask(**more):
    return Client().get("/metrics", **more)


def families(text: bytes):
    return {found.name: found for found in text_string_to_metric_families(text.decode())}


def ticks(kind: str, count: int) -> bytes:
    registry = CollectorRegistry()
    Counter("clera_ticks_total", "Heard.", ["kind"], registry=registry).labels(kind).inc(count)
    return generate_latest(registry)


class TestWhoMayRead:
    def test_without_a_token_only_this_machine(self, settings):
        settings.METRICS_TOKEN = ""

        assert [ask(REMOTE_ADDR=a).status_code for a in ("127.0.0.1", "::1")] == [200, 200]
        for address in ("10.0.0.7", "203.0.113.9", ""):
            answer = ask(REMOTE_ADDR=address)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_without_a_token_a_proxy_of_ours_does_not_count_as_this_machine(self, settings):
        settings.METRICS_TOKEN, settings.TRUSTED_PROXIES = "", 1

        answer = ask(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "203.0.113.9"})

        assert answer.status_code == 404

    @pytest.mark.parametrize("environment", ["production", "staging"])
    def test_without_a_token_nobody_in_production(self, settings, environment):
        settings.METRICS_TOKEN, settings.ENVIRONMENT = "", environment

        assert ask(REMOTE_ADDR="127.0.0.1").status_code == 404

    def test_with_a_token_whoever_has_it_and_nobody_else(self, settings):
        settings.METRICS_TOKEN, settings.ENVIRONMENT = TOKEN, "production"
        answers = {
            said: ask(REMOTE_ADDR="10.0.0.7", headers={"Authorization": said}).status_code
            for said in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {TOKEN}", f"Bearer {TOKEN}t",
                         "Bearer", "Bearer \u00e9", TOKEN)
        }  # fmt: skip

        assert [said for said, code in answers.items() if code == 200] == [
            f"Bearer {TOKEN}", f"bearer {TOKEN}",
        ]  # fmt: skip
        assert set(answers.values()) == {200, 401}
        refused = ask(REMOTE_ADDR="127.0.0.1")
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
        assert refused["Content-Type"] == "application/problem+json"

    def test_no_rate_holds_it_up_or_is_used_up_by_it(self, settings):
        settings.METRICS_TOKEN = TOKEN
        settings.RATE_LIMITS = {
            **settings.RATE_LIMITS, "address": "1/minute", "refusals": "1/minute",
        }  # fmt: skip

        assert {ask(REMOTE_ADDR="203.0.113.80").status_code for _ in range(4)} == {401}
        assert Client().get("/healthy", REMOTE_ADDR="203.0.113.80").status_code == 404

    def test_it_is_no_part_of_the_public_description(self):
        assert "/metrics" not in Client().get("/api/schema/").content.decode()


class TestWhatIsTold:
    def test_ours_and_the_leaders_with_whose_they_are(self, shelf):
        metrics.FRAMES.labels("followed").inc()
        shelf.sadd("clera:metrics", "prices", "gone")
        shelf.set("clera:metrics:prices", ticks("trade", 41))

        answer = ask()

        assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer["Cache-Control"] == "no-store"
        found = families(answer.content)
        [sample] = [s for s in found["clera_ticks"].samples if s.labels["process"] == "prices"]
        assert (sample.name, sample.labels, sample.value) == (
            "clera_ticks_total", {"kind": "trade", "process": "prices"}, 41,
        )  # fmt: skip
        own = {s.labels["process"] for s in found["clera_frames"].samples}
        assert own == {"web"}
        assert found["process_resident_memory_bytes"].samples[0].value > 10_000_000

    def test_what_a_process_puts_there_is_found_under_its_name(self, shelf):
        metrics.STALE_SYMBOLS.set(3)

        metrics_shelf.put("prices", shelf)

        found = families(ask().content)["clera_stale_symbols"]
        assert {s.labels["process"]: s.value for s in found.samples} == {"web": 3, "prices": 3}
        assert 0 < shelf.ttl("clera:metrics:prices") <= 15
        metrics.STALE_SYMBOLS.set(0)

    def test_ours_while_redis_is_away(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        realtime.connection.cache_clear()
        try:
            answer = ask()
        finally:
            realtime.connection.cache_clear()

        assert answer.status_code == 200
        assert "clera_sockets_dirty" in families(answer.content)

    @pytest.mark.asyncio
    async def test_how_late_the_loop_is(self):
        before = families(generate_latest(metrics.REGISTRY))["clera_event_loop_lag_seconds"]
        started = time.monotonic()
        await loop_lag.watch()
        await loop_lag.watch()
        await asyncio.sleep(0.6)
        rounds = (time.monotonic() - started) // 0.25
        after = families(generate_latest(metrics.REGISTRY))["clera_event_loop_lag_seconds"]

        def count(family):
            return next(s.value for s in family.samples if s.name.endswith("_count"))

        assert 1 <= count(after) - count(before) <= rounds


class TestMerging:
    def test_each_family_is_described_once_and_every_sample_is_kept(self):
        text = exposition.merged(
            {"prices": ticks("trade", 1), "orders": ticks("quote", 2), "web": ticks("trade", 3)}
        ).decode()

        assert text.count("# TYPE clera_ticks_total counter\n") == 1
        assert text.count("# HELP clera_ticks_total Heard.\n") == 1
        samples = families(text.encode())["clera_ticks"].samples
        assert {(s.labels["process"], s.labels["kind"]): s.value for s in samples} == {
            ("prices", "trade"): 1, ("orders", "quote"): 2, ("web", "trade"): 3,
        }  # fmt: skip

    def test_what_cannot_be_read_or_means_something_else_is_left_out(self):
        registry = CollectorRegistry()
        Gauge("clera_ticks", "Another thing.", registry=registry).set(9)
        texts = {"web": ticks("trade", 3), "prices": b"{", "old": generate_latest(registry)}

        samples = families(exposition.merged(texts))["clera_ticks"].samples

        assert [(s.labels["process"], s.value) for s in samples] == [("web", 3)]

    def test_every_figure_of_ours_survives_it(self):
        own = families(generate_latest(metrics.REGISTRY))

        told = families(exposition.merged({"web": generate_latest(metrics.REGISTRY)}))

        assert {n: (f.type, len(f.samples)) for n, f in told.items()} == {
            n: (f.type, len(f.samples)) for n, f in own.items()
        }


class TestTheExamples:
    def test_alerts_name_only_what_there_is(self):
        rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
        alerts = [rule for group in rules["groups"] for rule in group["rules"]]
        named = {n for a in alerts for n in re.findall(r"\b(?:clera|process)_\w+", a["expr"])}
        families = list(metrics.REGISTRY.collect())
        histograms = {f"{f.name}_bucket" for f in families if f.type == "histogram"}
        counters = {f"{f.name}_total" for f in families if f.type == "counter"}

        assert named <= {f.name for f in families} | histograms | counters
        assert len(alerts) == len({a["alert"] for a in alerts}) >= 8
        assert all(a["annotations"]["summary"] for a in alerts)

    def test_the_runbook_says_what_each_figure_means(self):
        text = (ROOT / "docs" / "runbook.md").read_text()
        families = [f for f in metrics.REGISTRY.collect() if f.name.startswith("clera_")]
        names = [f"{f.name}_total" if f.type == "counter" else f.name for f in families]

        assert [name for name in names if not re.search(f"`{name}[`{{]", text)] == []

    def test_the_scraping_asks_where_the_figures_are(self):
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())

        [job] = config["scrape_configs"]
        assert Client().get(job["metrics_path"]).status_code == 200
        assert [(MONITORING / name).exists() for name in config["rule_files"]] == [True]
