"""What the market app needs from outside: assets, sessions, prices by REST and socket, profiles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from market.facts import Asset, Day, News, Session, Snapshot


class Broker(Protocol):
    """The broker's list of assets and its clock."""

    def find_asset(self, symbol: str) -> Asset | None:
        """
        Look one asset up.

        :raises VendorError: the broker could not be read.
        """
        ...

    def list_assets(self) -> list[Asset]:
        """
        List every active asset.

        :raises VendorError: the broker could not be read.
        """
        ...

    def session(self) -> Session:
        """
        Ask whether the market is open, and until when that holds.

        :raises VendorError: the broker could not be read.
        """
        ...

    def calendar(self, start: date, end: date) -> list[Day]:
        """
        List the days with a session between two dates, both included; there is at least one.

        :raises VendorError: the broker could not be read.
        """
        ...


class DataFeed(Protocol):
    """Prices on request."""

    def snapshots(self, symbols: Sequence[str], *, today: date) -> Mapping[str, Snapshot]:
        """
        Read the latest prices of many symbols; unknown ones are left out.

        `today` is the date in New York, before which the previous close was.

        :raises VendorError: they could not be read.
        """
        ...


class OpenStream(Protocol):
    """An authenticated connection that sends prices; for one thread at a time."""

    def cover(self, symbols: Iterable[str]) -> None:
        """
        Ask for exactly these symbols from now on; the answer comes as `Covered` or `Refused`.

        What is not covered after that is not asked for again unless it is left out in between.

        :raises VendorUnavailable: the connection is gone.
        """
        ...

    def read(self, *, timeout_seconds: float) -> Sequence[News]:
        """
        Wait for news, at most this long, and return what there is, in the order it came.

        :raises VendorUnavailable: the connection is gone, or we cannot know what we miss.
        :raises VendorRejected: our key is not good for what we asked for.
        """
        ...


class PriceStream(Protocol):
    """Prices as they happen."""

    def open(self) -> AbstractContextManager[OpenStream]:
        """
        Connect and authenticate.

        :raises VendorUnavailable: not reachable, or at its limit of connections.
        :raises VendorRejected: our key is not good for it.
        """
        ...


class Companies(Protocol):
    """Facts about companies."""

    def profile(self, ticker: str) -> Mapping[str, Any] | None:
        """
        Read a company's profile, or nothing when the ticker is unknown.

        :raises VendorError: it could not be read.
        """
        ...


@dataclass(frozen=True)
class Gateways:
    """All of them, as one set that a test may exchange."""

    broker: Broker
    data: DataFeed
    stream: PriceStream
    companies: Companies
    # Coins come over a socket of their own; nothing where they are switched off.
    coin_stream: PriceStream | None = None


_in_use: list[Gateways] = []


def get() -> Gateways:
    """Return the vendors, or what a test has put in their place."""
    if _in_use:
        return _in_use[-1]
    from market.gateways import (  # noqa: PLC0415 - they import us
        alpaca,
        alpaca_coins,
        alpaca_stream,
        fmp,
    )

    return Gateways(
        broker=alpaca.AlpacaBroker(),
        data=alpaca.AlpacaData(),
        stream=alpaca_stream.AlpacaStream(),
        companies=fmp.FmpCompanies(),
        coin_stream=alpaca_coins.stream(),
    )


@contextmanager
def use(gateways: Gateways) -> Iterator[None]:
    """Let these stand in for the vendors, in all threads, until the block ends."""
    _in_use.append(gateways)
    try:
        yield
    finally:
        _in_use.remove(gateways)
