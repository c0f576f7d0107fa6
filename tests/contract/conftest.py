"""
The same questions to the sandbox and, when its keys are in the environment, to the real vendor.

For a live run set LIVE_<VENDOR>_URL and the keys named below, then `pytest -m live tests/contract`.
Every question is harmless: nothing is opened, moved or bought.
"""

import os

import pytest

from core.tests import sandboxes

LIVE = {
    "alpaca": {
        "LIVE_ALPACA_BROKER_URL": "ALPACA_BROKER_URL",
        "LIVE_ALPACA_DATA_URL": "ALPACA_DATA_URL",
        "LIVE_ALPACA_BROKER_KEY": "ALPACA_BROKER_KEY",
        "LIVE_ALPACA_BROKER_SECRET": "ALPACA_BROKER_SECRET",
    },
    "alpaca-stream": {
        "LIVE_ALPACA_STREAM_URL": "ALPACA_STREAM_URL",
        "LIVE_ALPACA_BROKER_KEY": "ALPACA_BROKER_KEY",
        "LIVE_ALPACA_BROKER_SECRET": "ALPACA_BROKER_SECRET",
    },
    "groq": {"LIVE_GROQ_URL": "GROQ_URL", "LIVE_GROQ_API_KEY": "GROQ_API_KEY"},
    "fmp": {"LIVE_FMP_URL": "FMP_URL", "LIVE_FMP_API_KEY": "FMP_API_KEY"},
    "plaid": {
        "LIVE_PLAID_URL": "PLAID_URL",
        "LIVE_PLAID_CLIENT_ID": "PLAID_CLIENT_ID",
        "LIVE_PLAID_SECRET": "PLAID_SECRET",
    },
}
PLACES = ["sandbox", pytest.param("live", marks=pytest.mark.live)]


@pytest.fixture(scope="session")
def pretend():
    with sandboxes.running() as sandbox:
        yield sandbox


@pytest.fixture(params=PLACES)
def vendor(request, settings):
    """Point the clients at the vendor of the module, wherever this run asks it."""
    name = request.module.VENDOR
    settings.VENDOR_TOTAL_SECONDS = 10
    if request.param == "sandbox":
        sandbox = request.getfixturevalue("pretend")
        settings.ALPACA_BROKER_URL = f"{sandbox.url}/alpaca/broker"
        settings.ALPACA_DATA_URL = f"{sandbox.url}/alpaca/data"
        settings.ALPACA_STREAM_URL = f"{sandbox.url}/alpaca/stream/v2/iex".replace("http", "ws", 1)
        settings.GROQ_URL = f"{sandbox.url}/groq"
        settings.FMP_URL = f"{sandbox.url}/fmp"
        settings.PLAID_URL = f"{sandbox.url}/plaid"
        return request.param
    missing = [variable for variable in LIVE[name] if not os.environ.get(variable)]
    if missing:
        pytest.skip(f"no keys for {name}: set {', '.join(missing)}")
    for variable, setting in LIVE[name].items():
        setattr(settings, setting, os.environ[variable])
    return request.param
