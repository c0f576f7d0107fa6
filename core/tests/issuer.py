"""A small identity provider over real HTTP, for tests of what trusts its tokens."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from core.auth import tokens


def public_jwk(key: Any, *, kid: str, algorithm: str = "ES256", **more: Any) -> dict[str, Any]:
    """Write the public half of a key as the provider publishes it."""
    kind = jwt.algorithms.ECAlgorithm if algorithm.startswith("ES") else jwt.algorithms.RSAAlgorithm
    return {
        **kind.to_jwk(key.public_key(), as_dict=True),
        "kid": kid,
        "alg": algorithm,
        "use": "sig",
        **more,
    }


class Issuer:
    """Holds one EC and one RSA key, serves what is in `published`, and mints tokens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ec: EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.rsa: RSAPrivateKey = rsa.generate_private_key(65537, 2048)
        self.published: list[dict[str, Any]] = [
            public_jwk(self.ec, kid="ec-1"),
            public_jwk(self.rsa, kid="rsa-1", algorithm="RS256"),
        ]
        self.answer: bytes | None = None  # instead of the published keys
        self.status = 200
        self.fetches = 0
        self.delay_seconds = 0.0  # before an answer
        self.may_answer = threading.Event()  # it hangs while a test has this cleared
        self.may_answer.set()
        self.on_fetch: Callable[[], None] = lambda: None  # happens while somebody waits for it

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Make the claims of a customer; a change to `None` leaves that claim out."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/auth/v1",
            "sub": "customer-1",
            "aud": "authenticated",
            "role": "authenticated",
            "aal": "aal1",
            "iat": now,
            "exp": now + 3600,
        }
        return {name: v for name, v in (claims | changes).items() if v is not None}

    def token(
        self,
        *,
        key: Any = None,
        algorithm: str = "ES256",
        headers: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Mint a token that is valid unless the arguments spoil it."""
        return jwt.encode(
            self.claims(**changes),
            key or self.ec,
            algorithm=algorithm,
            headers={"kid": "ec-1"} | (headers or {}),
        )


@contextmanager
def serving() -> Iterator[Issuer]:
    """Serve the provider's keys on a free port for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            issuer.on_fetch()
            time.sleep(issuer.delay_seconds)
            issuer.may_answer.wait(100)
            body = issuer.answer or json.dumps({"keys": issuer.published}).encode()
            known = self.path == "/auth/v1/.well-known/jwks.json"
            self.send_response(issuer.status if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tokens.key_set.cache_clear()  # the keys of an earlier issuer that had this port
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
