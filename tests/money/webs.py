"""Web processes of their own, and many requests to them at one moment."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.db import connection

from clera.settings import rates

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


@dataclass(frozen=True)
class Web:
    process: "subprocess.Popen[bytes]"
    url: str

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/health", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("The web process did not start.")


@contextmanager
def running(sandbox: Any, issuer: Any) -> Iterator[Web]:
    """Start a web process that asks this sandbox, and end it with the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    database = urlsplit(os.environ["DATABASE_URL"])
    env = os.environ | {
        "DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "DJANGO_SETTINGS_MODULE": "clera.settings.local",
        "SANDBOX_URL": sandbox.url,
        "SUPABASE_URL": issuer.url,
        "RATE_LIMITS": ",".join(f"{name}=999999/minute" for name in rates.DEFAULTS),
        "TRANSFER_DAILY_COUNT": "100000",
        "TRANSFER_DAILY_AMOUNT": "100000000",
        "ORDER_QUOTE_SECONDS": "3600",
        "LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "uvicorn", "clera.asgi:application", "--lifespan", "off"]
    process = subprocess.Popen(
        # On a busy machine a connection waits longer for its request than uvicorn does by itself.
        [*command, "--port", str(port), "--log-level", "warning", "--timeout-keep-alive", "60"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Web(process, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Post:
    """One request; the barrage sends each as it stands."""

    body: dict[str, Any]
    headers: dict[str, str]


def barrage(urls: Sequence[str], path: str, posts: Sequence[Post]) -> list[httpx.Response]:
    """Send all of them at one moment, to the processes in turn, each on an open connection."""
    return asyncio.run(_barrage(urls, path, posts))


async def _barrage(urls: Sequence[str], path: str, posts: Sequence[Post]) -> list[httpx.Response]:
    gate, opened = asyncio.Event(), asyncio.Semaphore(0)
    many = httpx.Limits(max_connections=None, max_keepalive_connections=None)

    async def send(client: httpx.AsyncClient, url: str, post: Post) -> httpx.Response:
        await client.get(f"{url}/health")
        opened.release()
        await gate.wait()
        return await client.post(f"{url}{path}", json=post.body, headers=post.headers)

    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=many) as client:
        sending = [
            asyncio.ensure_future(send(client, urls[number % len(urls)], post))
            for number, post in enumerate(posts)
        ]
        for _ in posts:
            await opened.acquire()
        gate.set()
        return await asyncio.gather(*sending)
