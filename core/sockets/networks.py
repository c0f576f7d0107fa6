"""How many sockets each client network has open in this process."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings

from core.api.addresses import network_of, socket_address
from core.sockets.loops import PerLoop


class TooManyOfNetwork(Exception):
    """One network has as many sockets as one may have."""


@contextmanager
def counted(scope: Mapping[str, Any]) -> Iterator[None]:
    """
    Count a socket for as long as it is open, whoever it belongs to.

    :raises TooManyOfNetwork: its network has enough.
    """
    counts, network = _COUNTS.get(), network_of(socket_address(scope))
    if counts[network] >= settings.SOCKETS_PER_ADDRESS:
        raise TooManyOfNetwork
    counts[network] += 1
    try:
        yield
    finally:
        counts[network] -= 1
        if not counts[network]:
            del counts[network]


_COUNTS: Final[PerLoop[Counter[str]]] = PerLoop(Counter)
