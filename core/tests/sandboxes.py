"""The sandbox as a process of its own, for tests of real clients over real HTTP."""

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
# Made once: making it takes ten times as long as a request to the control plane.
_TLS = ssl.create_default_context()


# A machine that is busy for some seconds is no vendor that hangs.
PATIENT_SECONDS, IMPATIENT_SECONDS = 10, 1.5


@dataclass
class Sandbox:
    """A sandbox that listens, and its control plane."""

    url: str
    _pointed: Any = None  # the settings of the test whose clients talk to it

    def control(self, method: str, path: str, body: Any = None) -> Any:
        with httpx.Client(
            base_url=f"{self.url}/_control", timeout=60, trust_env=False, verify=_TLS
        ) as client:
            answer = client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self.control("POST", "/reset")

    def advance(self, seconds: float) -> None:
        """Let simulated time pass, and everything happen that falls due in it."""
        self.control("POST", "/clock", {"advance": seconds})

    def stop_clock(self) -> None:
        """Let simulated time pass in `advance` alone, however long a busy machine takes."""
        now = datetime.fromisoformat(self.control("GET", "/clock")["now"])
        behind = max(0.0, (datetime.now(UTC) - now).total_seconds())
        self.control("POST", "/clock", {"speed": 0, "advance": behind})

    def fault(self, **fault: Any) -> None:
        """Let something go wrong; for one who is to hang, this test's clients wait less long."""
        if self._pointed is not None and fault.get("kind", "").startswith("hang"):
            self._pointed.VENDOR_TOTAL_SECONDS = IMPATIENT_SECONDS
        self.control("POST", "/faults", fault)

    def hangs_no_more(self) -> None:
        """Have this test's clients be patient again, once the call that was to hang is over."""
        self._pointed.VENDOR_TOTAL_SECONDS = PATIENT_SECONDS

    def effects(self, kind: str) -> list[dict[str, Any]]:
        found = self.control("GET", "/effects")["effects"]
        return [effect for effect in found if effect["kind"] == kind]

    def sign_in(
        self, page: str, *, institution: str = "ins_109508", account: str | None = "checking"
    ) -> str:
        """
        Go through Plaid's hosted page as a person does, and tell where it leads at the end.

        Without an account only the login is mended, as the page of an existing bank asks for.
        """
        with httpx.Client(timeout=60, trust_env=False) as browser:
            browser.get(page, follow_redirects=True)
            if account is not None:
                browser.post(page, data={"step": "consent"})
                browser.post(page, data={"step": "bank", "institution": institution})
            sent = browser.post(page, data={"step": "sign_in", "username": "u", "password": "p"})
            if sent.headers["location"].endswith("/bank"):
                allow = {"step": "authorize"}
                browser.post(f"{page}/bank", data=allow, follow_redirects=True)
            if account is not None:
                browser.post(page, data={"step": "account", "account": account})
            return self._end(browser, page, "finish")

    def leave(self, page: str) -> str:
        """Open Plaid's hosted page, go away again, and tell where it leads."""
        with httpx.Client(timeout=60, trust_env=False) as browser:
            browser.get(page, follow_redirects=True)
            return self._end(browser, page, "cancel")

    @staticmethod
    def _end(browser: httpx.Client, page: str, step: str) -> str:
        answer = browser.post(page, data={"step": step})
        assert answer.status_code in {200, 303}, answer.text
        return str(answer.headers.get("location", ""))

    def point(self, settings: Any) -> None:
        """Send the clients of this test here."""
        settings.ALPACA_BROKER_URL = f"{self.url}/alpaca/broker"
        settings.ALPACA_DATA_URL = f"{self.url}/alpaca/data"
        settings.PLAID_URL = f"{self.url}/plaid"
        settings.VENDOR_TOTAL_SECONDS = PATIENT_SECONDS
        self._pointed = settings


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
