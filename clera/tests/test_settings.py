"""Production refuses to start with what only makes sense on one machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from clera.settings import api_docs, rates
from clera.settings.checks import problems_of

ROOT = Path(__file__).resolve().parents[2]
SOUND = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "x" * 50,
    "ALPACA_BROKER_SECRET": "real",
    "GROQ_API_KEY": "real",
    "BLIND_INDEX_KEY": "real",
    "ALPACA_BROKER_URL": "https://broker-api.alpaca.markets",
    "ALPACA_DATA_URL": "https://data.alpaca.markets",
    "ALPACA_STREAM_URL": "wss://stream.data.alpaca.markets/v2/sip",
    "ALPACA_CRYPTO_STREAM_URL": "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    "PLAID_URL": "https://production.plaid.com",
    "FMP_URL": "https://financialmodelingprep.com",
    "GROQ_URL": "https://api.groq.com",
    "SUPABASE_URL": "https://abc.supabase.co",
    "FIELD_KEYS": ["k1:abc"],
    "ALLOWED_HOSTS": ["api.example.com"],
    "ALLOWED_ORIGINS": ["https://app.example.com"],
    "TRUSTED_PROXIES": 1,
    "PLAID_ENV": "production",
    "PLAID_REDIRECT_URIS": ["https://app.example.com/callback"],
    "PLAID_WEBHOOK_URL": "https://api.example.com/webhook/plaid",
    "STAFF_SECOND_FACTOR": True,
    "SUPABASE_WRITE_BACK": False,
    "SUPABASE_SERVICE_KEY": "sandbox-service-role",
    "INTENT_LEASE_SECONDS": 30,
    "VENDOR_TOTAL_SECONDS": 10,
    "METRICS_TOKEN": "",
}


def test_sound_settings_have_no_problem():
    assert problems_of(SOUND) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"ALPACA_BROKER_SECRET": "sandbox-secret"}, "ALPACA_BROKER_SECRET"),
        ({"GROQ_URL": "http://api.groq.com"}, "GROQ_URL"),
        ({"SUPABASE_URL": "https://127.0.0.1"}, "SUPABASE_URL"),
        ({"ALPACA_CRYPTO_STREAM_URL": "ws://127.0.0.1:8900/x"}, "ALPACA_CRYPTO_STREAM_URL"),
        ({"ALPACA_STREAM_URL": "ws://stream.data.alpaca.markets"}, "ALPACA_STREAM_URL"),
        ({"ALPACA_BROKER_URL": "https://broker-api.sandbox.alpaca.markets"}, "staging"),
        ({"FIELD_KEYS": []}, "FIELD_KEYS"),
        ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS"),
        ({"ALLOWED_ORIGINS": ["*"]}, "ALLOWED_ORIGINS"),
        ({"TRUSTED_PROXIES": None}, "TRUSTED_PROXIES"),
        ({"METRICS_TOKEN": "x" * 31}, "METRICS_TOKEN"),
        ({"TRUSTED_PROXIES": -1}, "TRUSTED_PROXIES"),
        ({"PLAID_ENV": "development"}, "PLAID_ENV"),
        ({"PLAID_REDIRECT_URIS": []}, "PLAID_REDIRECT_URIS"),
        ({"PLAID_WEBHOOK_URL": "http://api.example.com/webhook/plaid"}, "PLAID_WEBHOOK_URL"),
        ({"PLAID_WEBHOOK_URL": "https://127.0.0.1/webhook/plaid"}, "PLAID_WEBHOOK_URL"),
        ({"STAFF_SECOND_FACTOR": False}, "STAFF_SECOND_FACTOR"),
        ({"SUPABASE_WRITE_BACK": True}, "SUPABASE_SERVICE_KEY"),
        ({"INTENT_LEASE_SECONDS": 15}, "INTENT_LEASE_SECONDS"),
    ],
)
def test_each_unsafe_one_is_named(change, named):
    problems = problems_of({**SOUND, **change})

    assert len(problems) == 1
    assert named in problems[0]


def test_coins_may_be_switched_off():
    assert problems_of({**SOUND, "ALPACA_CRYPTO_STREAM_URL": ""}) == []


def test_staging_may_use_the_vendors_sandboxes():
    url = "https://broker-api.sandbox.alpaca.markets"

    assert problems_of({**SOUND, "ENVIRONMENT": "staging", "ALPACA_BROKER_URL": url}) == []


class TestRates:
    def test_the_environment_replaces_single_ones(self):
        changed = rates.with_changes({"money": "60/minute", "service.read": "9/second"})

        assert changed == {**rates.DEFAULTS, "money": "60/minute", "service.read": "9/second"}

    @pytest.mark.parametrize(
        "change",
        [{"monye": "60/minute"}, {"money": "0/minute"}, {"money": "sixty"}, {"money": "6/week"},
         {"money": "60/minute;1/second"}, {"money": ""}],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_refused_by_name(self, change):
        with pytest.raises(ImproperlyConfigured, match=r"RATE_LIMITS.*mon"):
            rates.with_changes(change)

    def test_the_api_says_which_rates_hold(self):
        text = api_docs.description(rates.with_changes({"money": "77/minute"}))

        assert "| Orders, approvals, transfers, linked banks. | 77/minute | 300/minute |\n" in text
        assert "RATES" not in text


def production(command, **env):
    names = {"PATH", "HOME", "LANG"}
    kept = {name: value for name, value in os.environ.items() if name in names}
    kept |= {"DJANGO_SETTINGS_MODULE": "clera.settings.production", "CLERA_ENV_FILE": os.devnull}
    kept |= {"CLERA_LOCAL_DIR": os.devnull}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=kept | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
class TestProduction:
    def test_does_not_start_with_defaults_and_says_all_of_it(self):
        refused = production(["check"])

        assert refused.returncode != 0
        for name in ("SECRET_KEY", "ALPACA_BROKER_URL", "FIELD_KEYS", "ALLOWED_HOSTS"):
            assert name in refused.stderr

    def test_passes_djangos_deployment_checks(self):
        env = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in SOUND.items()
        }
        secret = "".join(chr(33 + (7 * index) % 90) for index in range(60))
        passed = production(
            ["check", "--deploy", "--fail-level", "WARNING", "--tag", "security"],
            **env | {"SECRET_KEY": secret, "CLERA_ENVIRONMENT": "production"},
        )

        assert passed.returncode == 0, passed.stderr


def test_the_example_explains_every_variable_that_the_settings_read():
    settings = (ROOT / "clera" / "settings" / "base.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    example = (ROOT / ".env.example").read_text()
    explained = set(re.findall(r"^([A-Z_]+)=", example, flags=re.MULTILINE))

    assert read - explained - {"DEBUG"} == set()
