"""One web application with every pretend vendor under a prefix of its own."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from types import ModuleType

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from sandbox import (
    broker,
    coin_data,
    control,
    files,
    fmp,
    groq,
    market_data,
    plaid,
    stream,
    striking,
    supabase,
)
from sandbox.world import Job, World

logger = logging.getLogger("sandbox")

_VENDORS: dict[str, ModuleType] = {
    "/alpaca/broker": broker,
    coin_data.PREFIX: coin_data,  # before what it is a part of
    "/alpaca/data": market_data,
    files.PREFIX: files,
    "/alpaca/stream": stream,
    "/groq": groq,
    "/supabase": supabase,
    "/plaid": plaid,
    "/fmp": fmp,
    "/_control": control,
}
_FLUSH_SECONDS = 0.25


class Sandbox(Starlette):
    """Starlette, with the fault plan in front of everything but the control plane."""

    def __init__(self, world: World, routes: list[BaseRoute]) -> None:
        self.world = world
        super().__init__(routes=routes, lifespan=self._live)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, spoiled if the plan says so."""
        place = striking.vendor_of(scope["path"]) if scope["type"] == "http" else None
        if place is not None:
            vendor, path = place
            fault = self.world.faults.take("http", vendor=vendor, method=scope["method"], path=path)
            if fault is not None:
                return await striking.strike(fault, super().__call__, scope, receive, send)
        return await super().__call__(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        """Run the vendors' jobs while the server runs; save everything at the end."""
        del app
        jobs = [*self.world.jobs, self._save_often]
        tasks = [asyncio.create_task(_guarded(job)) for job in jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.world.remember()
            self.world.store.close()

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            if self.world.clock.speed != 1:
                self.world.remember()  # the time drifts away from real time
            self.world.store.flush()


async def _guarded(job: Job) -> None:
    """Keep a vendor alive although one of its steps failed, and say so."""
    while True:
        try:
            return await job()
        except Exception:
            logger.exception("a job of the sandbox failed and starts again")
            await asyncio.sleep(1)


def build(world: World) -> Sandbox:
    """Put every vendor under its prefix."""
    return Sandbox(
        world, [Mount(prefix, routes=module.routes(world)) for prefix, module in _VENDORS.items()]
    )
