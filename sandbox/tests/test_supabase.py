import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from sandbox.supabase import derived
from sandbox.tests.conftest import Server, running
from sandbox.world import Settings, World


def mint(server: Server, **wanted: Any) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}/supabase/auth/v1/token-mint", json={"sub": "u-1"} | wanted)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def verified(server: Server, token: str) -> dict[str, Any]:
    base = f"{server.url}/supabase/auth/v1"
    key = jwt.PyJWKClient(f"{base}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["ES256"], audience="authenticated", issuer=base)


class TestMint:
    def test_a_token_verifies_with_the_published_key(self, sandbox_server: Server):
        minted = mint(sandbox_server, email="a@example.com", aal="aal2", expires_in=60)

        claims = verified(sandbox_server, minted["access_token"])

        assert (claims["sub"], claims["email"], claims["aal"]) == ("u-1", "a@example.com", "aal2")
        assert claims["role"] == "authenticated"
        assert claims["exp"] - claims["iat"] == minted["expires_in"] == 60
        assert abs(claims["iat"] - time.time()) < 5
        assert claims["session_id"]

    def test_an_expired_token_can_be_asked_for(self, sandbox_server: Server):
        token = mint(sandbox_server, expires_in=-10)["access_token"]

        with pytest.raises(jwt.ExpiredSignatureError):
            verified(sandbox_server, token)

    def test_a_token_of_another_issuer_can_be_asked_for(self, sandbox_server: Server):
        token = mint(sandbox_server, iss="https://elsewhere.example/auth/v1")["access_token"]

        with pytest.raises(jwt.InvalidIssuerError):
            verified(sandbox_server, token)

    @pytest.mark.parametrize("body", [{}, {"sub": 5}, {"sub": "u", "expires_in": "long"}, []])
    def test_a_wrong_request_is_refused(self, sandbox_server: Server, body: Any):
        answer = httpx.post(f"{sandbox_server.url}/supabase/auth/v1/token-mint", json=body)

        assert answer.status_code == 400

    def test_a_body_that_is_no_json_is_refused(self, sandbox_server: Server):
        answer = httpx.post(f"{sandbox_server.url}/supabase/auth/v1/token-mint", content="{")

        assert answer.status_code == 400


class TestKeys:
    def test_are_the_same_for_the_same_seed_only(self):
        assert derived(7, 0).as_jwk() == derived(7, 0).as_jwk()
        assert derived(7, 0).kid != derived(8, 0).kid

    def test_never_show_the_private_half(self):
        assert "d" not in derived(7, 0).as_jwk()

    def test_rotating_keeps_the_key_before_good(self, tmp_path: Path):
        with running(World.create(Settings(data=tmp_path))) as server:
            before = mint(server)["access_token"]
            rotated = httpx.post(f"{server.url}/supabase/auth/v1/rotate-key").json()
            after = mint(server)["access_token"]

            assert jwt.get_unverified_header(after)["kid"] == rotated["kid"]
            assert jwt.get_unverified_header(before)["kid"] != rotated["kid"]
            assert verified(server, before)["sub"] == verified(server, after)["sub"] == "u-1"

        with running(World.create(Settings(data=tmp_path))) as again:
            token = mint(again)["access_token"]
            assert jwt.get_unverified_header(token)["kid"] == rotated["kid"]
