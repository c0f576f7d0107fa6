"""Accounts and prices made up for one run, in servers of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
INSTRUMENTS = 500
POSITIONS = 20


@dataclass(frozen=True)
class World:
    """What a run works with."""

    accounts: list[UUID]
    numbers: np.ndarray[Any, Any]
    api_key: str


def environment(servers: Any) -> None:
    """Point this process and its children at the servers."""
    os.environ.update(servers.env)
    os.environ["DJANGO_SETTINGS_MODULE"] = "clera.settings.local"
    os.environ["LOG_LEVEL"] = "warning"
    # All clients are this machine.
    os.environ["RATE_LIMITS"] = "sockets=1000000/minute"
    os.environ["SOCKETS_PER_ADDRESS"] = "1000000"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_ROLE": "owner"},
        check=True,
    )


def make(*, accounts: int, seed: int = 7) -> World:
    """Write accounts with twenty positions each, and a key that may look at them."""
    import django

    django.setup()
    from django.apps import apps

    from core.auth import SYSTEM, acting_as, api_keys

    def table(label: str) -> Any:
        return apps.get_model(label)._default_manager  # noqa: SLF001 - Django documents it

    random = np.random.default_rng(seed)
    instruments = table("market.Instrument")
    model = instruments.model
    instruments.bulk_create(
        [model(symbol=f"S{n:04}", tradable=True, status="active") for n in range(INSTRUMENTS)]
    )
    rows = list(instruments.order_by("number").values_list("number", "symbol"))
    now = datetime.now(UTC)
    with acting_as(SYSTEM):
        made = _accounts(table("accounts.BrokerageAccount"), accounts)
        _balances(table("trading.CashBalance"), made, now)
        _positions(table("trading.Position"), made, [symbol for _, symbol in rows], random)
    key = api_keys.create(
        label="benchmark", scopes=["portfolio:read", "act_for"], expires_at=now + timedelta(hours=1)
    )
    numbers = np.array([number for number, _ in rows], dtype="<u4")
    return World(accounts=[account.pk for account in made], numbers=numbers, api_key=key.text)


def _balances(manager: Any, accounts: list[Any], now: datetime) -> None:
    thousand = Decimal(1000)
    manager.bulk_create(
        [
            manager.model(
                account_id=account.pk,
                user_id=account.user_id,
                cash=thousand,
                buying_power=thousand,
                fetched_at=now,
            )
            for account in accounts
        ]
    )


def _positions(
    manager: Any, accounts: list[Any], symbols: list[str], random: np.random.Generator
) -> None:
    manager.bulk_create(
        [
            manager.model(
                account_id=account.pk,
                user_id=account.user_id,
                symbol=symbols[index],
                quantity=quantity,
                available_quantity=quantity,
                average_entry_price=Decimal(90),
                cost_basis=quantity * 90,
            )
            for account in accounts
            for index in random.choice(len(symbols), POSITIONS, replace=False)
            for quantity in [Decimal(int(random.integers(1, 10**6))) / 1000]
        ],
        batch_size=5000,
    )


def _accounts(manager: Any, count: int) -> list[Any]:
    return list(
        manager.bulk_create(
            [
                manager.model(
                    user_id=f"user-{n}",
                    state="ACCEPTED",
                    vendor_status="ACTIVE",
                    broker_account_id=str(uuid4()),
                    email_masked="x",
                    email_index=uuid4().hex,
                    tax_id_index=uuid4().hex,
                    sealed_profile=b"",
                )
                for n in range(count)
            ]
        )
    )
