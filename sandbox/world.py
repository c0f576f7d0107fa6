"""Everything the pretend vendors share: one clock, one market, one effect log, one fault plan."""

import json
import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from sandbox.assets import Catalogue
from sandbox.clock import SimClock
from sandbox.effects import EffectLog
from sandbox.faults import FaultPlan
from sandbox.prices import PriceBook
from sandbox.replay import Replay
from sandbox.store import Store

Job = Callable[[], Awaitable[None]]

_KIND = "world"
_PROMPTS = 200


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person may choose when starting the sandbox."""

    seed: int = 7
    speed: float = 1.0
    data: Path | None = None
    market: str = "open"  # "open": trading never stops; "real": sessions as in the calendar
    heartbeat_seconds: float = 5.0
    bars: Path | None = None  # a person's own SYMBOL.csv files and symbols.csv
    bars_start: datetime | None = None  # the recorded moment to begin at
    bars_speed: float = 1.0
    requests_per_minute: int = 60_000
    public_url: str = ""  # where a person's browser finds us, if not where the product does
    transfers_per_day: int = 0  # of an account in one direction; 0 for no limit
    transfer_amount_per_day: Decimal = Decimal(50_000)
    broker_key: str = "CKSANDBOX"
    broker_secret: str = "sandbox-secret"  # noqa: S105 - a pretend secret, useless anywhere else
    supabase_service_key: str = "sandbox-service-role"

    @classmethod
    def from_environment(cls, **overrides: Any) -> Self:
        """Read SANDBOX_*; what the caller passes wins."""
        env = os.environ
        values: dict[str, Any] = {
            "speed": float(env.get("SANDBOX_SPEED", "1")),
            "market": env.get("SANDBOX_MARKET", "open"),
            "heartbeat_seconds": float(env.get("SANDBOX_HEARTBEAT_SECONDS", "5")),
            "bars_speed": float(env.get("SANDBOX_BARS_SPEED", "1")),
            "public_url": env.get("SANDBOX_PUBLIC_URL", "").rstrip("/"),
            "transfers_per_day": int(env.get("SANDBOX_TRANSFERS_PER_DAY", "0")),
            "transfer_amount_per_day": Decimal(env.get("SANDBOX_TRANSFER_DAILY_AMOUNT", "50000")),
        }
        if env.get("SANDBOX_BARS"):
            values["bars"] = Path(env["SANDBOX_BARS"])
        if env.get("SANDBOX_BARS_START"):
            values["bars_start"] = datetime.fromisoformat(env["SANDBOX_BARS_START"]).astimezone()
        return cls(**(values | overrides))

    @property
    def replay(self) -> Replay | None:
        """The recordings to play, if a person has brought some."""
        if self.bars is None:
            return None
        return Replay(directory=self.bars, starts_at=self.bars_start, speed=self.bars_speed)


@dataclass(kw_only=True)
class World:
    """
    The state behind all vendors of one sandbox process.

    Vendors keep what is theirs in `parts`; `reset_hooks` empties it, `settle_hooks` do at once
    what has fallen due, and `jobs` are coroutines that run for as long as the server does.
    """

    settings: Settings
    clock: SimClock
    prices: PriceBook
    catalogue: Catalogue
    effects: EffectLog
    faults: FaultPlan
    store: Store
    scripts: dict[str, list[Any]] = field(default_factory=dict)
    # The latest bodies that the model was sent: what a product tells it about people.
    prompts: deque[Any] = field(default_factory=lambda: deque(maxlen=_PROMPTS))
    parts: dict[str, Any] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    reset_hooks: list[Callable[[], None]] = field(default_factory=list)
    settle_hooks: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def create(cls, settings: Settings | None = None) -> Self:
        """Make a world from its settings, with what the store remembers."""
        settings = settings or Settings()
        clock = SimClock(settings.speed)
        catalogue = Catalogue(settings.bars)
        store = Store(settings.data)
        world = cls(
            settings=settings,
            clock=clock,
            prices=PriceBook(
                settings.seed, clock, catalogue, settings.market, replay=settings.replay
            ),
            catalogue=catalogue,
            effects=EffectLog(clock, store),
            faults=FaultPlan(),
            store=store,
        )
        world.recall()
        return world

    def remember(self) -> None:
        """Have the time, and prices and assets changed by hand, written to the store."""
        self.store.mark(_KIND, "clock", lambda: json.dumps(self.clock.state()))
        self.store.mark(_KIND, "prices", lambda: json.dumps(self.prices.state()))
        self.store.mark(_KIND, "assets", lambda: json.dumps(self.catalogue.state()))

    def recall(self) -> None:
        """Go on from what the store knows; the speed is always as asked for at the start."""
        known = {key: json.loads(body) for key, body in self.store.load(_KIND)}
        if "clock" in known:
            self.clock.restore(known["clock"] | {"speed": self.settings.speed})
        if "prices" in known:
            self.prices.restore(known["prices"])
        if "assets" in known:
            self.catalogue.restore(known["assets"])

    @property
    def seed(self) -> int:
        """The number every random choice starts from."""
        return self.settings.seed

    def reset(self) -> None:
        """Forget everything that happened; the clock keeps going."""
        self.effects.clear()
        self.faults.clear()
        self.scripts.clear()
        self.prompts.clear()
        self.store.clear()
        self.prices.restore({})
        self.catalogue.restore({})
        self.remember()
        for hook in self.reset_hooks:
            hook()

    def settle(self) -> None:
        """Do now whatever has fallen due, instead of at the next step of the jobs."""
        for hook in self.settle_hooks:
            hook()
