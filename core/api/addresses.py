"""Where a request or a socket comes from, as far as our own proxies vouch for it."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from django.conf import settings

_SUBSCRIBERS_PREFIX: Final = 64


def client_address(meta: Mapping[str, Any]) -> str:
    """
    Tell the client's address from a request's META; empty when the connection has none.

    `TRUSTED_PROXIES` says how many proxies of ours stand in front. Each of them adds the address
    it was called from on the right of X-Forwarded-For, so only that many entries are facts.
    """
    return _vouched(str(meta.get("REMOTE_ADDR", "")), str(meta.get("HTTP_X_FORWARDED_FOR", "")))


def socket_address(scope: Mapping[str, Any]) -> str:
    """Tell the client's address from an ASGI scope, by the same rule."""
    peer = scope.get("client") or ("", 0)
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return _vouched(str(peer[0]), forwarded.decode("latin-1"))


def network_of(address: str) -> str:
    """
    Name what one subscriber holds: an IPv4 address, or the /64 around an IPv6 one.

    Whoever has one IPv6 address has the other 2**64 of its network too.
    """
    if ":" not in address:
        return address or "unknown"
    return str(IPv6Network((address, _SUBSCRIBERS_PREFIX), strict=False))


def _vouched(peer: str, forwarded: str) -> str:
    """Choose the entry that our outermost proxy wrote; without one, whoever called us."""
    proxies: int = settings.TRUSTED_PROXIES
    entries = forwarded.rsplit(",", proxies) if proxies else []
    named = _parsed(entries[-proxies]) if proxies and len(entries) >= proxies else None
    return str(named or _parsed(peer) or "")


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as proxies write it: bare, with a port, in brackets, with a zone."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
