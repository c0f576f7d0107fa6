"""The whole story through the public API: open, link, deposit, buy, watch, ask, approve."""

import os
import subprocess
import sys

import pytest

from tests.e2e.running import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def manage(clera, *arguments):
    env = os.environ | {"CLERA_LOCAL_DIR": str(clera.folder), "SANDBOX_URL": clera.sandbox}
    env.pop("DATABASE_URL"), env.pop("REDIS_URL"), env.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments, "--url", clera.url],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_customer_opens_funds_buys_watches_asks_and_approves(clera):
    told = manage(clera, "demo")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Done: the new customer holds AAPL, MSFT." in told.stdout
    assert "666-" not in told.stdout
    assert '"tax_id": "•••"' in told.stdout


def test_each_step_had_one_effect_at_its_vendor(clera):
    seen = {effect["account_id"] for effect in clera.effects(kind="order.created")}

    for account in seen:
        kinds = [effect["kind"] for effect in clera.effects(account_id=account)]
        assert kinds.count("account.created") <= 1
        assert kinds.count("transfer.created") <= 1


def test_the_terminal_shows_the_value_move(clera):
    watched = manage(clera, "watch", "--seconds", "4")

    assert watched.returncode == 0, watched.stderr
    assert len({line.split()[0] for line in watched.stdout.splitlines() if "$" in line}) >= 2
