"""
The identity provider: signs access tokens and publishes the keys to check them with.

Keys are derived from the seed, so that tokens outlive a restart; rotating takes the next key and
keeps publishing the one before. Token times are real time, since the product checks them by it.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import supabase_tables
from sandbox.world import World

_CURVE = ec.SECP256R1()
_CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALGORITHM = "ES256"
_AUDIENCE = "authenticated"
_USUAL_SECONDS = 3600
_STORED = "supabase"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One generation of the key pair."""

    generation: int
    private: ec.EllipticCurvePrivateKey

    @property
    def kid(self) -> str:
        """The name tokens give to this key."""
        numbers = self.private.public_key().public_numbers()
        return str(uuid5(NAMESPACE_URL, f"urn:clera-sandbox:key:{numbers.x:x}"))

    def as_jwk(self) -> dict[str, Any]:
        """Publish the public half."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "alg": _ALGORITHM,
            "use": "sig",
            "key_ops": ["verify"],
            "ext": True,
            "kid": self.kid,
            "x": _base64url(numbers.x),
            "y": _base64url(numbers.y),
        }

    def sign(self, claims: dict[str, Any]) -> str:
        """Make a token."""
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return jwt.encode(claims, pem, algorithm=_ALGORITHM, headers={"kid": self.kid})


class Keys:
    """The key in use and the one before it."""

    def __init__(self, world: World) -> None:
        self._world = world
        remembered = dict(world.store.load(_STORED))
        self.generation = int(remembered.get("generation", "0"))

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return derived(self._world.seed, self.generation)

    def published(self) -> list[SigningKey]:
        """List the keys that tokens may still be checked with, the newest first."""
        generations = range(self.generation, max(self.generation - 2, -1), -1)
        return [derived(self._world.seed, generation) for generation in generations]

    def rotate(self) -> SigningKey:
        """Take the next key into use."""
        self.generation += 1
        self._world.store.mark(_STORED, "generation", lambda: str(self.generation))
        return self.current


def derived(seed: int, generation: int) -> SigningKey:
    """Derive a key pair that is the same for the same seed."""
    digest = sha256(f"clera-sandbox-identity:{seed}:{generation}".encode()).digest()
    private_value = int.from_bytes(digest) % (_CURVE_ORDER - 1) + 1
    return SigningKey(generation, ec.derive_private_key(private_value, _CURVE))


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the project's host."""
    keys = Keys(world)
    return [
        Route("/auth/v1/.well-known/jwks.json", _published(keys)),
        Route("/auth/v1/token-mint", _mint(keys), methods=["POST"]),
        Route("/auth/v1/rotate-key", _rotate(keys), methods=["POST"]),
        *supabase_tables.routes(world),
    ]


def _published(keys: Keys) -> Callable[[Request], Response]:
    def jwks(_request: Request) -> Response:
        return JSONResponse({"keys": [key.as_jwk() for key in keys.published()]})

    return jwks


def _rotate(keys: Keys) -> Callable[[Request], Response]:
    def rotate(_request: Request) -> Response:
        return JSONResponse({"kid": keys.rotate().kid})

    return rotate


def _mint(keys: Keys) -> Any:
    async def mint(request: Request) -> Response:
        try:
            wanted = json.loads(await request.body() or b"{}")
        except ValueError:
            return _refusal("the body is not JSON")
        if not isinstance(wanted, dict) or not isinstance(wanted.get("sub"), str):
            return _refusal("sub is required")
        lasts = wanted.get("expires_in", _USUAL_SECONDS)
        if not isinstance(lasts, int):
            return _refusal("expires_in is a number of seconds")
        claims = claims_of(wanted, issuer=_issuer(request), now=int(time.time()), lasts=lasts)
        return JSONResponse(
            {
                "access_token": keys.current.sign(claims),
                "token_type": "bearer",
                "expires_in": lasts,
                "expires_at": claims["exp"],
                "user": {"id": claims["sub"], "email": claims["email"], "role": claims["role"]},
            }
        )

    return mint


def claims_of(wanted: dict[str, Any], *, issuer: str, now: int, lasts: int) -> dict[str, Any]:
    """Put together the claims of an access token; `lasts` may be negative, for an expired one."""
    assurance = wanted.get("aal", "aal1")
    methods = [{"method": "password", "timestamp": now}]
    if assurance == "aal2":
        methods.append({"method": "totp", "timestamp": now})
    return {
        "iss": wanted.get("iss", issuer),
        "aud": wanted.get("aud", _AUDIENCE),
        "sub": wanted["sub"],
        "iat": min(now, now + lasts),
        "exp": now + lasts,
        "email": wanted.get("email", ""),
        "phone": "",
        "role": wanted.get("role", _AUDIENCE),
        "aal": assurance,
        "amr": methods,
        "session_id": wanted.get("session_id", str(uuid4())),
        "is_anonymous": False,
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {},
    }


def _issuer(request: Request) -> str:
    prefix = request.scope.get("root_path", "")
    return f"{request.url.scheme}://{request.url.netloc}{prefix}/auth/v1"


def _refusal(message: str) -> Response:
    return JSONResponse({"code": 400, "error_code": "validation_failed", "msg": message}, 400)


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
