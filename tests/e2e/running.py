"""A whole Clera for tests, run as `make run` runs it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 150


@dataclass
class Running:
    """Where the run is, and what it was told about itself."""

    url: str
    sandbox: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def demo(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return facts

    @property
    def account(self) -> str:
        """The demo customer's account."""
        return str(self.demo["customer"]["account_id"])

    @property
    def bearer(self) -> str:
        """A fresh token of the demo customer."""
        answer = httpx.post(f"{self.url}/local/token", trust_env=False, timeout=60)
        return str(answer.json()["access_token"])

    def effects(self, **filters: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.sandbox}/_control/effects", params=filters, trust_env=False, timeout=60
        )
        found: list[dict[str, Any]] = answer.json()["effects"]
        return found

    def token(self, user_id: str, email: str) -> str:
        body = {"sub": user_id, "email": email}
        url = f"{self.sandbox}/supabase/auth/v1/token-mint"
        return str(httpx.post(url, json=body, trust_env=False, timeout=60).json()["access_token"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path) -> Running:
    web, sandbox = free_port(), free_port()
    names = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    env = {name: value for name, value in os.environ.items() if name not in names}
    env |= {
        "PORT": str(web),
        "SANDBOX_PORT": str(sandbox),
        "CLERA_LOCAL_DIR": str(folder),
        # Another origin than that of `url`, though it is the same machine.
        "ALLOWED_ORIGINS": f"http://localhost:{web}",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Short enough to see a killed sender's work recovered within a test.
        "VENDOR_TOTAL_SECONDS": "3",
        "INTENT_LEASE_SECONDS": "6",
        # One machine plays every customer, and asks again and again what became of an order.
        "RATE_LIMITS": "money=600/minute,sockets=6000/minute",
    }
    path = folder.parent / "run.log"
    path.unlink(missing_ok=True)  # an earlier run's ready line is not this one's
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "clera.local", "run"],
            cwd=ROOT,
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(f"http://127.0.0.1:{web}", f"http://127.0.0.1:{sandbox}", folder, process)
    _wait_until_ready(running, path)
    return running


def _wait_until_ready(running: Running, log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and running.process.poll() is None:
        if "Clera is ready" in log.read_text(errors="replace"):
            return
        time.sleep(0.3)
    raise AssertionError("Clera did not start:\n" + log.read_text(errors="replace")[-6000:])


def stop(running: Running) -> float:
    """Ask for the end as Ctrl-C does and return how long it took."""
    started = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    running.process.wait(timeout=30)
    return time.monotonic() - started
