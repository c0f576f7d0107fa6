"""The log of everything that really happened at a vendor, for tests to count."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sandbox.answers import decimal_text
from sandbox.clock import SimClock
from sandbox.store import Store

_KIND = "effect"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing a vendor did. It names ids and amounts, never a secret or a person."""

    seq: int
    at: datetime
    vendor: str
    kind: str
    vendor_id: str
    client_key: str | None = None
    account_id: str | None = None
    amount: Decimal | None = None
    qty: Decimal | None = None
    symbol: str | None = None

    def as_json(self) -> dict[str, object]:
        """Show it as the control plane does."""
        numbers = {"amount": decimal_text(self.amount), "qty": decimal_text(self.qty)}
        return asdict(self) | {"at": self.at.isoformat()} | numbers


class EffectLog:
    """Append-only: an answer may get lost on the way, an effect never does."""

    def __init__(self, clock: SimClock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._effects = [_from_text(body) for _, body in store.load(_KIND)]

    def __len__(self) -> int:
        return len(self._effects)

    def record(
        self,
        vendor: str,
        kind: str,
        vendor_id: str,
        *,
        client_key: str | None = None,
        account_id: str | None = None,
        amount: Decimal | None = None,
        qty: Decimal | None = None,
        symbol: str | None = None,
    ) -> Effect:
        """Add one effect, for example `order.created` of `alpaca_broker`."""
        effect = Effect(
            seq=len(self._effects) + 1,
            at=self._clock.now(),
            vendor=vendor,
            kind=kind,
            vendor_id=vendor_id,
            client_key=client_key,
            account_id=account_id,
            amount=amount,
            qty=qty,
            symbol=symbol,
        )
        self._effects.append(effect)
        self._store.mark(_KIND, f"{effect.seq:012}", lambda: json.dumps(effect.as_json()))
        return effect

    def find(self, *, since_seq: int = 0, **wanted: str) -> Iterator[Effect]:
        """Go through the effects after `since_seq` whose fields equal what is wanted."""
        for effect in self._effects[since_seq:]:
            if all(getattr(effect, name) == value for name, value in wanted.items()):
                yield effect

    def clear(self) -> None:
        """Start again from nothing."""
        self._effects.clear()


def _from_text(body: str) -> Effect:
    values = json.loads(body)
    values["at"] = datetime.fromisoformat(values["at"])
    for name in ("amount", "qty"):
        values[name] = None if values[name] is None else Decimal(values[name])
    return Effect(**values)
