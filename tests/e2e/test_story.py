"""The whole story through the public API: open, link, deposit, buy, watch, ask, approve."""

import os
import re
import subprocess
import sys

import httpx
import pytest

from tests.e2e.running import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def manage(clera, *arguments):
    env = os.environ | {"CLERA_LOCAL_DIR": str(clera.folder), "SANDBOX_URL": clera.sandbox}
    env.pop("DATABASE_URL"), env.pop("REDIS_URL"), env.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_customer_opens_funds_buys_watches_asks_and_approves(clera):
    told = manage(clera, "demo", "--url", clera.url)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Done: the new customer holds AAPL, MSFT." in told.stdout
    assert "666-" not in told.stdout
    assert '"tax_id": "•••"' in told.stdout
    assert re.search(r'GET \S+/cash → {"total": "1000.00", "held": "0.00"', told.stdout)
    [booked] = re.findall(r"GET \S+/ledger → (.*)", told.stdout)
    assert re.findall(r'"kind": "(\w+)"', booked) == ["PURCHASE", "PURCHASE", "DEPOSIT"]


def test_each_step_had_one_effect_at_its_vendor(clera):
    seen = {effect["account_id"] for effect in clera.effects(kind="order.created")}

    for account in seen:
        kinds = [effect["kind"] for effect in clera.effects(account_id=account)]
        assert kinds.count("account.created") <= 1
        assert kinds.count("transfer.created") <= 1


def test_the_terminal_shows_the_value_move(clera):
    watched = manage(clera, "watch", "--seconds", "4", "--url", clera.url)

    assert watched.returncode == 0, watched.stderr
    assert len({line.split()[0] for line in watched.stdout.splitlines() if "$" in line}) >= 2


def test_every_vendor_lets_us_in_with_the_keys_that_are_set(clera):
    asked = manage(clera, "check_vendors")

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert [line.split()[-2] for line in asked.stdout.splitlines()] == ["ok"] * 6


def test_an_api_key_opens_the_door_for_a_customer_it_names(clera):
    scopes = ["--scope", "accounts:read", "--scope", "act_for"]
    made = manage(clera, "api_key", "create", "--label", "a test", "--owner", "the tests", *scopes)
    key = re.search(r"clr_\w+", made.stdout)
    assert key, made.stdout + made.stderr

    headers = {"X-API-Key": key.group(), "X-Act-For": clera.demo["customer"]["user_id"]}
    answer = httpx.get(f"{clera.url}/api/me", headers=headers, trust_env=False, timeout=60)

    assert answer.status_code == 200
    assert answer.json()["accounts"][0]["status"] == "ACTIVE"
