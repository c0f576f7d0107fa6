"""Webhooks on their way: queued, signed, sent in the background, and tried again."""

import asyncio
import json
import logging
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from sandbox.plaid.keys import KeyRing
from sandbox.world import World

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 5.0
_AT_ONCE = 8
_OK = range(200, 300)
_LATE, _TWICE, _LOST = "webhook_late", "webhook_duplicate", "webhook_drop"

logger = logging.getLogger("sandbox.plaid")


@dataclass(kw_only=True)
class Delivery:
    """One webhook to one address; `status` is the answer to the last attempt."""

    id: int
    url: str
    webhook_type: str
    webhook_code: str
    body: str
    state: str = "waiting"
    attempts: int = 0
    status: int | None = None
    failure: str | None = None
    verification: str | None = None
    pause_before: float = field(default=0.0)

    def as_json(self) -> dict[str, Any]:
        """Show it as the control plane does."""
        return asdict(self)


class Post:
    """What was sent and what waits. A receiver that is broken costs only its own webhooks."""

    def __init__(self, world: World, keys: KeyRing) -> None:
        self._world = world
        self._keys = keys
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self._running: set[asyncio.Task[None]] = set()
        self.deliveries: list[Delivery] = []

    def clear(self) -> None:
        """Forget what was sent, and send nothing of what waits."""
        for task in tuple(self._running):
            task.cancel()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self.deliveries = []

    def send(self, url: str | None, body: dict[str, Any]) -> None:
        """Queue a webhook as the fault plan allows; without an address there is nothing to do."""
        if url is None:
            return
        name = f"{body['webhook_type']}/{body['webhook_code']}"
        fault = self._world.faults.take(
            "behaviour", kinds={_LATE, _TWICE, _LOST}, vendor="plaid", path=name
        )
        kind = "" if fault is None else fault.kind
        for _ in range(2 if kind == _TWICE else 1):
            delivery = Delivery(
                id=len(self.deliveries) + 1,
                url=url,
                webhook_type=body["webhook_type"],
                webhook_code=body["webhook_code"],
                # Laid out as the vendor does; the signature is over these very bytes.
                body=json.dumps(body, indent=2),
                pause_before=fault.seconds if fault is not None and kind == _LATE else 0.0,
            )
            self.deliveries.append(delivery)
            if kind == _LOST:
                delivery.state = "dropped"
            else:
                self._waiting.put_nowait(delivery)

    async def deliver_all(self) -> None:
        """Send what is queued, for as long as the server runs."""
        places = asyncio.Semaphore(_AT_ONCE)
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
            try:
                while True:
                    delivery = await self._waiting.get()
                    task = asyncio.create_task(self._deliver(http, places, delivery))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
            finally:
                for task in tuple(self._running):
                    task.cancel()

    async def _deliver(
        self, http: httpx.AsyncClient, places: asyncio.Semaphore, delivery: Delivery
    ) -> None:
        await asyncio.sleep(delivery.pause_before)
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            async with places:
                await self._attempt(http, delivery)
            if delivery.status in _OK:
                delivery.state = "delivered"
                return
        delivery.state = "given_up"

    async def _attempt(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        raw = delivery.body.encode()
        # Signed anew each time: a late attempt must not look like an old one.
        delivery.verification = self._keys.sign(raw)
        delivery.attempts += 1
        delivery.status = delivery.failure = None
        headers = {
            "content-type": "application/json",
            "plaid-verification": delivery.verification,
            "user-agent": "Plaid Webhooks (sandbox)",
        }
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await http.post(delivery.url, content=raw, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            delivery.failure = type(error).__name__
            logger.info("a webhook was not taken: %s", delivery.failure)
        else:
            delivery.status = answer.status_code
