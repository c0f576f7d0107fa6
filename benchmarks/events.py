"""
How fast a broker's events are kept and applied: `python -m benchmarks.events`.

First, account events that wait in the inbox are applied by the product and, in turns, by the plain
loop that one would write first: one event, one transaction. Then a source on loopback replays a
long outage, which the product's own workers read, keep and apply; the same stream is also read by
bare httpx, which only parses it. Everything runs on loopback, in servers that the program starts
and ends itself, in a few minutes.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.fanout import world as worlds
from benchmarks.storm import story
from clera.local import processes
from clera.local.testing import start_servers

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "alpaca.accounts"
_PATH = "/v1/events/accounts/status"
_PATIENCE_SECONDS = 900
_WORD_EVERY_SECONDS = 5
_PATIENCE_AT_THE_END_SECONDS = 15.0
_KEPT_AT_ONCE = 5_000


@dataclass
class Contestant:
    """One way to apply what waits, and how fast it was in each of its turns."""

    name: str
    apply: Callable[[], int]
    speeds: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """The middle of its turns, in events per second."""
        return median(self.speeds)


@dataclass(frozen=True)
class Replay:
    """Seconds from the start until every event was read, kept, or applied."""

    raw: float
    kept: float
    applied: float


def say(text: str) -> None:
    """Show how far we are."""
    print(f"  {text}", flush=True)


# Applying what waits


def compete(count: int, *, accounts: int, turns: int) -> list[Contestant]:
    """Let both apply the same events in turns, since the machine may be busier at one time."""
    from accounts.services import status

    contestants = [Contestant("clera", status.apply_events), Contestant("plain loop", plain_loop)]
    for turn in range(turns):
        for contestant in contestants:
            fill(count, accounts=accounts)
            started = time.perf_counter()
            applied = sum(iter(contestant.apply, 0))
            took = time.perf_counter() - started
            assert applied == count, f"{contestant.name} applied {applied} of {count}"
            contestant.speeds.append(count / took)
            say(f"turn {turn + 1}, {contestant.name}: {count:,} events in {took:.1f} s")
    return contestants


def plain_loop() -> int:
    """Apply as one would at first: each event in a transaction, its row and its account locked."""
    from django.db import connection, transaction
    from django.utils import timezone

    events = table("core.InboxEvent")
    with connection.cursor() as cursor:  # once, where the product must ask for it each time
        cursor.execute("SELECT set_config('clera.system', 'on', false)")
    waiting = events.filter(source=SOURCE, applied_at=None).order_by("pk")
    applied = 0
    for pk in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            event = events.select_for_update().get(pk=pk)
            take_over(event.payload)
            event.applied_at = timezone.now()
            event.save(update_fields=["applied_at"])
        applied += 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('clera.system', '', false)")
    return applied


def take_over(told: dict[str, Any]) -> None:
    """Change one account, and do everything else that the product does with a change."""
    from accounts.events import AccountStatusChanged
    from accounts.services import feed
    from core.events import publish

    rows = table("accounts.BrokerageAccount")
    account = rows.select_for_update().get(broker_account_id=told["account_id"])
    if account.vendor_status == told["status_to"]:
        return
    account.vendor_status = told["status_to"]
    account.vendor_status_at = datetime.fromisoformat(told["at"])
    account.save(update_fields=["vendor_status", "vendor_status_at"])
    table("core.IntentStep").create(
        intent_kind="accounts.BrokerageAccount",
        intent_id=account.pk,
        from_state=account.state,
        to_state=account.state,
        vendor_status=account.vendor_status,
        vendor_at=account.vendor_status_at,
    )
    notice = {"status": account.vendor_status, "is_tradable": account.is_tradable}
    feed.push(account_id=account.pk, user_id=account.user_id, kind="account.status", payload=notice)
    publish(AccountStatusChanged(account.pk, account.vendor_status))


# Replaying an outage


def replay(count: int, *, accounts: int, port: int) -> Replay:
    """Read the stream with bare httpx, then let the product's workers do all of it."""
    raw = read_plainly(count, port)
    say(f"bare httpx read and parsed {count:,} events in {raw:.1f} s")
    fill(0, accounts=accounts)
    table("core.StreamCursor").create(source=SOURCE, position=story.ulid(-40 * 60 * 10))
    with worker("streams"), worker("worker"):
        time.sleep(5)  # they import all of the product first
        started = database_time()
        from core.jobs import enqueue

        enqueue("accounts.follow_events")
        kept, applied = wait_for_all(count, started)
    return Replay(raw, kept, applied)


def read_plainly(count: int, port: int) -> float:
    """Say how long bare httpx takes to read the stream and to parse each event."""
    started = time.perf_counter()
    url = f"http://127.0.0.1:{port}{_PATH}"
    seen = 0
    with httpx.stream("GET", url, timeout=30, trust_env=False) as response:
        for line in response.iter_lines():
            if line.startswith("data:"):
                json.loads(line[5:])
                seen += 1
            if seen == count:
                break
    return time.perf_counter() - started


def wait_for_all(count: int, started: datetime) -> tuple[float, float]:
    """Watch the inbox until everything is applied; the database's clock tells when it was."""
    from django.db.models import Count, Max, Q

    events = table("core.InboxEvent").filter(source=SOURCE)
    for second in range(_PATIENCE_SECONDS):
        time.sleep(1)
        found = events.aggregate(
            kept=Count("pk"),
            applied=Count("pk", filter=Q(applied_at__isnull=False)),
            last_kept=Max("received_at"),
            last_applied=Max("applied_at"),
        )
        if second % _WORD_EVERY_SECONDS == 0 and found["applied"] < count:
            say(f"kept {found['kept']:,}, applied {found['applied']:,}")
        if found["applied"] == count:
            return (
                (found["last_kept"] - started).total_seconds(),
                (found["last_applied"] - started).total_seconds(),
            )
    raise TimeoutError(f"not everything was applied within {_PATIENCE_SECONDS} s")


# The world


def table(label: str) -> Any:
    """Return the rows of a table."""
    from django.apps import apps

    return apps.get_model(label)._default_manager  # noqa: SLF001 - Django documents it


def fill(count: int, *, accounts: int) -> None:
    """Begin anew: these accounts, and this many events that wait in the inbox."""
    from core.auth import SYSTEM, acting_as

    inbox = table("core.InboxEvent")
    inbox.all().delete()
    table("core.StreamCursor").all().delete()
    with acting_as(SYSTEM):
        rows = table("accounts.BrokerageAccount")
        if not rows.exists():
            rows.bulk_create([_account(rows.model, *one) for one in enumerate(_ids(accounts))])
        rows.update(vendor_status="ONBOARDING", vendor_status_at=None)
    made = (
        inbox.model(source=SOURCE, external_id=event["event_ulid"], payload=event)
        for event in story.events(count, accounts=accounts)
    )
    inbox.bulk_create(made, batch_size=_KEPT_AT_ONCE)


def _ids(accounts: int) -> list[str]:
    return story.account_ids(accounts)


def _account(model: Any, number: int, broker_account_id: str) -> Any:
    return model(
        user_id=f"user-{number}",
        state="ACCEPTED",
        vendor_status="ONBOARDING",
        broker_account_id=broker_account_id,
        email_masked="x",
        email_index=f"email-{number}",
        tax_id_index=f"tax-{number}",
        sealed_profile=b"",
    )


def database_time() -> datetime:
    """Ask the clock that the inbox goes by."""
    from core.clock import database_now

    return database_now()


@contextlib.contextmanager
def child(command: list[str], *, output: int) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the block ends."""
    errors = None if output == subprocess.PIPE else output
    process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors, text=True)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_AT_THE_END_SECONDS)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def worker(name: str) -> Iterator[None]:
    """Run one of the product's workers, with the command of a deployment."""
    [found] = [process for process in processes.WORKERS if process.name == name]
    with child([sys.executable, *found.arguments], output=subprocess.DEVNULL):
        yield


def show(contestants: list[Contestant], replayed: Replay, count: int) -> None:
    """Print the figures, and the ratios."""
    print(f"\naccount events applied, {os.cpu_count()} cores\n")
    print(f"{'':14}{'events/s':>10}{'ms each':>10}")
    for one in contestants:
        print(f"{one.name:14}{one.speed:>10,.0f}{1000 / one.speed:>10.2f}")
    ours, plain = contestants
    print(f"\nclera / plain loop: {ours.speed / plain.speed:.1f} times as many")
    print(f"\n{count:,} events replayed over HTTP\n")
    print(f"{'':22}{'seconds':>10}{'events/s':>10}{'x bare httpx':>14}")
    for name, seconds in (
        ("bare httpx, parsed", replayed.raw),
        ("clera, all kept", replayed.kept),
        ("clera, all applied", replayed.applied),
    ):
        ratio = seconds / replayed.raw
        print(f"{name:22}{seconds:>10.1f}{count / seconds:>10,.0f}{ratio:>14.1f}")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000, help="to apply in each turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--replayed", type=int, default=100_000, help="events in the outage")
    parser.add_argument("--accounts", type=int, default=500)
    options = parser.parse_args()
    servers = start_servers()
    telling = [sys.executable, "-m", "benchmarks.storm.source"]
    telling += [str(options.replayed), str(options.accounts)]
    try:
        worlds.environment(servers)
        with child(telling, output=subprocess.PIPE) as source:
            assert source.stdout is not None
            port = int(source.stdout.readline())
            os.environ["SUPABASE_WRITE_BACK"] = "false"  # nobody is there to be told
            os.environ["ALPACA_BROKER_URL"] = f"http://127.0.0.1:{port}"
            import django

            django.setup()
            fill(0, accounts=options.accounts)
            contestants = compete(options.events, accounts=options.accounts, turns=options.turns)
            replayed = replay(options.replayed, accounts=options.accounts, port=port)
            show(contestants, replayed, options.replayed)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
