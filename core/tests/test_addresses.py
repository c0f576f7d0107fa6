"""Whose address counts: what our own proxies wrote, and nothing a client could have written."""

import pytest
from django.core.handlers.asgi import ASGIRequest

from core.api.addresses import client_address, network_of, socket_address

PEER = "198.51.100.1"


def address(forwarded=None, *, peer=PEER) -> str:
    meta = {"REMOTE_ADDR": peer}
    return client_address(meta if forwarded is None else meta | {"HTTP_X_FORWARDED_FOR": forwarded})


class TestProxies:
    @pytest.mark.parametrize("forwarded", [None, "", "6.6.6.6", "6.6.6.6, 7.7.7.7"])
    def test_without_proxies_only_the_connection_counts(self, settings, forwarded):
        settings.TRUSTED_PROXIES = 0
        assert address(forwarded) == PEER

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "expected"),
        [
            (1, "203.0.113.9", "203.0.113.9"),
            (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
            (1, "6.6.6.6,,,203.0.113.9", "203.0.113.9"),
            (2, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
            (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ],
    )
    def test_each_proxy_adds_one_entry_on_the_right(self, settings, proxies, forwarded, expected):
        settings.TRUSTED_PROXIES = proxies
        assert address(forwarded) == expected

    @pytest.mark.parametrize(
        ("proxies", "forwarded"),
        [(1, None), (1, ""), (2, "6.6.6.6"), (1, "6.6.6.6, unknown"), (1, "6.6.6.6, "),
         (2, "6.6.6.6, _hidden, 10.0.0.1"), (1, "6.6.6.6, 999.1.1.1"), (3, "6.6.6.6, 7.7.7.7")],
    )  # fmt: skip
    def test_an_entry_that_is_missing_or_no_address_leaves_the_connection(
        self, settings, proxies, forwarded
    ):
        settings.TRUSTED_PROXIES = proxies
        assert address(forwarded) == PEER

    def test_a_connection_without_an_address_has_none(self, settings):
        settings.TRUSTED_PROXIES = 1
        assert client_address({}) == address(peer="testserver") == ""

    def test_a_header_sent_twice_or_spelled_otherwise_changes_nothing(self, settings):
        settings.TRUSTED_PROXIES = 1
        scope = {
            "type": "http", "method": "GET", "path": "/", "client": (PEER, 1),
            "headers": [
                (b"x-forwarded-for", b"6.6.6.6"),
                (b"x-forwarded-for", b"203.0.113.9"),
                (b"x_forwarded_for", b"7.7.7.7"),
            ],
        }  # fmt: skip
        assert client_address(ASGIRequest(scope, None).META) == "203.0.113.9"
        assert socket_address(scope) == "203.0.113.9"


class TestShapes:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:4711", "203.0.113.9"),
            ("2001:DB8:0:0::0001", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
        ],
    )
    def test_one_address_has_one_spelling(self, settings, written, expected):
        settings.TRUSTED_PROXIES = 1
        assert address(written) == expected
        settings.TRUSTED_PROXIES = 0
        assert address(peer=written) == expected


class TestSockets:
    def test_follow_the_same_rule(self, settings):
        scope = {"client": (PEER, 1), "headers": [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9")]}
        settings.TRUSTED_PROXIES = 0
        assert socket_address(scope) == PEER
        settings.TRUSTED_PROXIES = 1
        assert socket_address(scope) == "203.0.113.9"

    @pytest.mark.parametrize("scope", [{"headers": []}, {"client": None, "headers": []}])
    def test_may_have_no_address(self, scope):
        assert socket_address(scope) == ""


@pytest.mark.parametrize(
    ("one", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_an_ipv6_subscriber_is_a_whole_network(one, network):
    assert network_of(one) == network
