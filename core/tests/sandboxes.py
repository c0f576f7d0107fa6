"""The sandbox as a process of its own, for tests of real clients over real HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that listens, and its control plane."""

    url: str

    def control(self, method: str, path: str, body: Any = None) -> Any:
        with httpx.Client(base_url=f"{self.url}/_control", timeout=10, trust_env=False) as client:
            answer = client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self.control("POST", "/reset")

    def advance(self, seconds: float) -> None:
        """Let simulated time pass, and everything happen that falls due in it."""
        self.control("POST", "/clock", {"advance": seconds})

    def fault(self, **fault: Any) -> None:
        self.control("POST", "/faults", fault)

    def effects(self, kind: str) -> list[dict[str, Any]]:
        found = self.control("GET", "/effects")["effects"]
        return [effect for effect in found if effect["kind"] == kind]

    def point(self, settings: Any) -> None:
        """Send the clients of this test here."""
        settings.ALPACA_BROKER_URL = f"{self.url}/alpaca/broker"
        settings.ALPACA_DATA_URL = f"{self.url}/alpaca/data"
        settings.PLAID_URL = f"{self.url}/plaid"
        settings.VENDOR_TOTAL_SECONDS = 0.5


@contextmanager
def running() -> Iterator[Sandbox]:
    """Start a sandbox on a free port and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"SANDBOX_HEARTBEAT_SECONDS": "0.1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            said = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found is not None, f"the sandbox did not start: {said!r}"
            yield Sandbox(found.group())
        finally:
            process.terminate()
