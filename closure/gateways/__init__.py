"""What a closure needs from the broker: to close an account, and to say whether it is closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

# The broker's word for an account that is no more.
CLOSED: Final = "ACCOUNT_CLOSED"


class Closing(Protocol):
    """The broker, as far as the end of an account is concerned."""

    def close(self, broker_account_id: str) -> None:
        """
        Close an account that is empty; closing it again changes nothing.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no: it is not empty, or closed already.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def status_of(self, broker_account_id: str) -> str:
        """
        Read the status of an account.

        :raises VendorError: the broker could not be read.
        """
        ...


_in_use: list[Closing] = []


def get_closing() -> Closing:
    """Return the broker: Alpaca, or what a test has put in its place."""
    if _in_use:
        return _in_use[-1]
    from closure.gateways.alpaca import AlpacaClosing  # noqa: PLC0415 - it imports this port

    return AlpacaClosing()


@contextmanager
def use(closing: Closing) -> Iterator[None]:
    """Let this broker stand in for the real one, in all threads, until the block ends."""
    _in_use.append(closing)
    try:
        yield
    finally:
        _in_use.remove(closing)
