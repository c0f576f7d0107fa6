"""A second start finds the first one's data, and the end ends everything it started."""

import httpx
import psutil
import pytest

from core.tests.promises import promised
from tests.e2e import running as runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.promise
def test_data_survives_and_nothing_is_left_running(tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    first = runs.start(folder)
    try:
        account = first.demo["customer"]["account_id"]
        owner = first.demo["customer"]["user_id"]
        headers = {"X-API-Key": first.demo["api_key"], "X-Act-For": owner}
        before = holdings(first, account, headers)
        started = psutil.Process(first.process.pid).children(recursive=True)
    finally:
        took = runs.stop(first)

    assert took <= promised(6)
    # A server's own children end a moment after it does.
    assert psutil.wait_procs(started, timeout=10)[1] == []

    second = runs.start(folder)
    try:
        assert second.demo["customer"]["account_id"] == account
        assert second.demo["api_key"] == first.demo["api_key"]
        assert holdings(second, account, headers) == before
    finally:
        runs.stop(second)


def holdings(running, account, headers):
    url = f"{running.url}/api/portfolio/{account}/positions"
    positions = httpx.get(url, headers=headers, trust_env=False, timeout=60).json()
    held = {position["symbol"]: position["qty"] for position in positions}
    assert {"AAPL", "VTI"} <= set(held)
    return held
