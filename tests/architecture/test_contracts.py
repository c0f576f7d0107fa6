"""Each import contract is kept, and each fails when somebody breaks it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "clera", "console", "chat", "agents", "portfolio", "closure", "trading", "funding", "ledger",
    "accounts", "market", "core", "sandbox",
)  # fmt: skip

# One forbidden line for each contract: where it is planted, and what it says.
PLANTS = {
    "Apps depend downwards only": ("core/money.py", "import trading.states"),
    "Inside an app: interface, then rules, then data": (
        "trading/selectors/orders.py",
        "import trading.serializers",
    ),
    "Accounts keeps its tables and its vendor to itself": (
        "funding/serializers/transfers.py",
        "import accounts.models",
    ),
    "Market keeps its tables and its vendors to itself": (
        "trading/serializers/orders.py",
        "import market.models",
    ),
    "Ledger keeps its tables and its broker to itself": (
        "funding/views/common.py",
        "import ledger.models",
    ),
    "Funding keeps its tables and its vendors to itself": (
        "console/views.py",
        "import funding.models",
    ),
    "Trading keeps its tables and its broker to itself": (
        "console/views.py",
        "import trading.gateways",
    ),
    "Closure keeps its tables and its broker to itself": (
        "console/views.py",
        "import closure.models",
    ),
    "Agents keeps its model vendors to itself": ("chat/services.py", "import agents.gateways"),
    "Chat keeps its tables to itself": ("console/views.py", "import chat.models"),
    "Vendor clients are reached from gateways only": (
        "accounts/services/opening.py",
        "import core.vendors.alpaca",
    ),
    "The model's hands cannot move money": ("agents/context.py", "import trading.services"),
    "The model's hands do not touch vendors or tables themselves": (
        "agents/tools/trading.py",
        "import django.db",
    ),
    "The product never imports the sandbox": ("core/ids.py", "import sandbox.clock"),
    "The sandbox never imports the product": ("sandbox/clock.py", "import core.ids"),
}


def verdicts(folder: Path) -> dict[str, str]:
    """Run the contracts on a tree and return what each came to."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    lines = re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, flags=re.MULTILINE)
    return {name.strip(): verdict for name, verdict in lines}


@pytest.fixture
def copy(tmp_path):
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
class TestContracts:
    def test_every_contract_is_kept(self):
        assert verdicts(ROOT) == dict.fromkeys(PLANTS, "KEPT")

    def test_every_contract_breaks_on_its_planted_line(self, copy):
        for place, line in PLANTS.values():
            path = copy / place
            path.write_text(f"{path.read_text()}\n{line}\n")

        assert verdicts(copy) == dict.fromkeys(PLANTS, "BROKEN")
