"""Access tokens: one genuine shape is accepted, everything else looks alike from outside."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.auth import Kind, jwks, tokens
from core.auth.jwks import KeySet
from core.errors import ServiceBusy, Unauthenticated
from core.tests.issuer import Issuer, public_jwk, serving

SHARED_SECRET = "a-shared-secret-of-more-than-32-bytes"


@pytest.fixture
def issuer(settings):
    with serving() as issuer:
        settings.SUPABASE_URL = issuer.url
        settings.SUPABASE_AUDIENCE = "authenticated"
        settings.SUPABASE_ALLOW_HS256 = False
        settings.SUPABASE_JWT_SECRET = ""
        yield issuer


def segment(value) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(issuer: Issuer, algorithm: str) -> str:
    return f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{segment(issuer.claims())}."


def hs256(issuer: Issuer, secret: bytes, **header) -> str:
    head = segment({"alg": "HS256", "typ": "JWT", "kid": "ec-1"} | header)
    signed = f"{head}.{segment(issuer.claims())}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def public(issuer: Issuer, encoding, form) -> bytes:
    return issuer.ec.public_key().public_bytes(encoding, form)


def with_raw_claims(issuer: Issuer, raw: bytes) -> str:
    signer = jwt.get_algorithm_by_name("ES256")
    signed = f"{segment({'alg': 'ES256', 'kid': 'ec-1'})}.{segment(raw)}"
    return f"{signed}.{segment(signer.sign(signed.encode(), issuer.ec))}"


def doubled(issuer: Issuer) -> str:
    text = json.dumps(issuer.claims())
    return with_raw_claims(issuer, (text[:-1] + ',"sub":"customer-2"}').encode())


def of_another_key(issuer: Issuer, **headers) -> str:
    other = ec.generate_private_key(ec.SECP256R1())
    if "jwk" in headers:
        headers["jwk"] = public_jwk(other, kid="ec-1")
    return issuer.token(key=other, headers=headers)


def tampered(token: str) -> str:
    head, _, signature = token.split(".")
    claims = Issuer("http://127.0.0.1").claims(sub="customer-2")
    return f"{head}.{segment(claims)}.{signature}"


PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
COMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
YEAR = 365 * 24 * 3600

FORGED = {
    "nothing": lambda i: "",
    "one part": lambda i: "abc",
    "two parts": lambda i: "abc.def",
    "four parts": lambda i: i.token() + ".x",
    "not base64": lambda i: "!!!.???.***",
    "not ASCII": lambda i: "é" + i.token(),
    "header not an object": lambda i: f"{segment([1])}.{segment(i.claims())}.x",
    "claims not an object": lambda i: with_raw_claims(i, b"[1]"),
    "claims not JSON": lambda i: with_raw_claims(i, b"{"),
    "none": lambda i: unsigned(i, "none"),
    "None": lambda i: unsigned(i, "None"),
    "NONE": lambda i: unsigned(i, "NONE"),
    "nOnE": lambda i: unsigned(i, "nOnE"),
    "no algorithm": lambda i: f"{segment({'kid': 'ec-1'})}.{segment(i.claims())}.x",
    "signature cut off": lambda i: i.token().rpartition(".")[0] + ".",
    "signature of another token": lambda i: tampered(i.token()),
    "HS256 over the PEM": lambda i: hs256(i, public(i, *PEM)),
    "HS256 over the DER": lambda i: hs256(i, public(i, *DER)),
    "HS256 over the raw point": lambda i: hs256(i, public(i, *POINT)),
    "HS256 over the compressed point": lambda i: hs256(i, public(i, *COMPRESSED)),
    "HS256 over the JWK": lambda i: hs256(i, json.dumps(i.published[0]).encode()),
    "HS256 over the empty secret": lambda i: hs256(i, b""),
    "HS256 switched off": lambda i: hs256(i, SHARED_SECRET.encode()),
    "another key": of_another_key,
    "brings its key": lambda i: of_another_key(i, jwk={}),
    "brings a key URL": lambda i: of_another_key(i, jku="http://127.0.0.1/keys"),
    "brings a certificate URL": lambda i: of_another_key(i, x5u="http://127.0.0.1/c"),
    "brings a certificate": lambda i: of_another_key(i, x5c=["MIIB"]),
    "genuine, but with a key URL": lambda i: i.token(headers={"jku": "http://127.0.0.1/"}),
    "critical extension": lambda i: i.token(headers={"crit": ["x"], "x": 1}),
    "kid of the other type": lambda i: i.token(headers={"kid": "rsa-1"}),
    "RS256 with the EC kid": lambda i: i.token(
        key=i.rsa, algorithm="RS256", headers={"kid": "ec-1"}
    ),
    "kid is a path": lambda i: i.token(headers={"kid": "../../../../dev/null"}),
    "kid is SQL": lambda i: i.token(headers={"kid": "' OR 1=1 --"}),
    "kid is a URL": lambda i: i.token(headers={"kid": "http://127.0.0.1/key"}),
    "kid is empty": lambda i: i.token(headers={"kid": ""}),
    "kid is long": lambda i: i.token(headers={"kid": "k" * 129}),
    "16 KB header": lambda i: i.token(headers={"pad": "x" * 16_384}),
    "large claims": lambda i: i.token(pad="x" * 16_384),
    "exp missing": lambda i: i.token(exp=None),
    "exp past": lambda i: i.token(iat=int(time.time()) - 7200, exp=int(time.time()) - 60),
    "exp far": lambda i: i.token(exp=int(time.time()) + YEAR),
    "exp a text": lambda i: i.token(exp=str(int(time.time()) + 60)),
    "exp before iat": lambda i: i.token(iat=int(time.time()) + 20, exp=int(time.time()) + 10),
    "exp endless": lambda i: with_raw_claims(
        i, json.dumps(i.claims(exp=1)).replace('"exp": 1', '"exp": 1e400').encode()
    ),
    "iat missing": lambda i: i.token(iat=None),
    "iat future": lambda i: i.token(iat=int(time.time()) + 600),
    "nbf future": lambda i: i.token(nbf=int(time.time()) + 600),
    "aud missing": lambda i: i.token(aud=None),
    "aud wrong": lambda i: i.token(aud="anon"),
    "aud a list": lambda i: i.token(aud=["authenticated", "other"]),
    "iss missing": lambda i: i.token(iss=None),
    "iss wrong": lambda i: i.token(iss="https://elsewhere.example/auth/v1"),
    "role missing": lambda i: i.token(role=None),
    "role anon": lambda i: i.token(role="anon"),
    "role service_role": lambda i: i.token(role="service_role"),
    "anonymous sign-in": lambda i: i.token(is_anonymous=True),
    "sub missing": lambda i: i.token(sub=None),
    "sub empty": lambda i: i.token(sub=""),
    "sub with a line break": lambda i: i.token(sub="a\nb"),
    "sub long": lambda i: i.token(sub="x" * 256),
    "claim named twice": doubled,
}


class TestVerify:
    def test_knows_the_customer_and_when_the_token_ends(self, issuer):
        principal = tokens.verify(issuer.token(aal="aal2", exp=(end := int(time.time()) + 60)))

        assert (principal.kind, principal.user_id, principal.aal) == (
            Kind.CUSTOMER, "customer-1", "aal2",
        )  # fmt: skip
        assert principal.expires_at == datetime.fromtimestamp(end, tz=UTC)

    def test_accepts_both_kinds_of_key(self, issuer):
        rs256 = issuer.token(key=issuer.rsa, algorithm="RS256", headers={"kid": "rsa-1"})
        assert tokens.verify(rs256) == tokens.verify(rs256)
        assert tokens.verify(rs256).user_id == tokens.verify(issuer.token()).user_id

    def test_allows_for_clocks_that_differ_by_seconds(self, issuer):
        now = int(time.time())
        assert tokens.verify(issuer.token(iat=now + 20)).user_id == "customer-1"
        assert tokens.verify(issuer.token(iat=now - 60, exp=now - 10)).user_id == "customer-1"

    @pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
    def test_refuses_with_the_same_words(self, issuer, forge):
        with pytest.raises(Unauthenticated) as refused:
            tokens.verify(forge(issuer))
        assert (refused.value.detail, refused.value.extra) == (Unauthenticated.detail, {})

    def test_accepts_a_shared_secret_only_where_it_is_switched_on(self, issuer, settings):
        token = hs256(issuer, SHARED_SECRET.encode())
        settings.SUPABASE_JWT_SECRET = SHARED_SECRET
        with pytest.raises(Unauthenticated):
            tokens.verify(token)
        settings.SUPABASE_ALLOW_HS256 = True
        assert tokens.verify(token).user_id == "customer-1"

    def test_does_not_trust_a_short_shared_secret(self, issuer, settings):
        settings.SUPABASE_ALLOW_HS256, settings.SUPABASE_JWT_SECRET = True, "short"
        with pytest.raises(Unauthenticated):
            tokens.verify(hs256(issuer, b"short"))

    def test_says_busy_instead_of_signing_out_when_keys_were_never_reachable(self, issuer):
        issuer.status = 500
        with pytest.raises(ServiceBusy) as busy:
            tokens.verify(issuer.token())
        assert busy.value.retry_after_seconds == 2


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(issuer, clock):
    return KeySet(f"{issuer.url}/auth/v1/.well-known/jwks.json", clock=clock)


class TestKeySet:
    def test_fetches_once_for_many_tokens(self, issuer, keys):
        for _ in range(50):
            assert keys.find("ec-1") is not None
        assert issuer.fetches == 1

    def test_fetches_at_most_once_per_cooldown_for_unknown_ids(self, issuer, keys, clock):
        keys.find("ec-1")
        for number in range(1000):
            clock.now += 0.0625  # one minute in all
            assert keys.find(f"random-{number}") is None
        assert issuer.fetches == 1 + 2

    def test_finds_a_rotated_key_after_the_cooldown(self, issuer, keys, clock):
        keys.find("ec-1")
        issuer.published.append(public_jwk(issuer.ec, kid="ec-2"))
        assert keys.find("ec-2") is None
        clock.now += jwks.COOLDOWN_SECONDS
        assert keys.find("ec-2").algorithm == "ES256"

    def test_forgets_a_withdrawn_key_within_ten_minutes(self, issuer, keys, clock):
        assert keys.find("ec-1") is not None
        issuer.published.pop(0)
        clock.now += jwks.REFRESH_SECONDS
        assert keys.find("ec-1") is None

    def test_keeps_known_keys_while_the_provider_is_away(self, issuer, keys, clock):
        keys.find("ec-1")
        issuer.status = 503
        clock.now += 3600
        assert keys.find("ec-1") is not None
        assert keys.find("ec-2") is None
        assert issuer.fetches == 2

    def test_tries_again_soon_when_it_has_no_key_at_all(self, issuer, keys, clock):
        issuer.status = 503
        for _ in range(5):
            with pytest.raises(ServiceBusy):
                keys.find("ec-1")
        assert issuer.fetches == 1
        issuer.status = 200
        clock.now += jwks.COLD_COOLDOWN_SECONDS
        assert keys.find("ec-1") is not None

    @pytest.mark.parametrize(
        "answer",
        [b"", b"[]", b"{}", b'{"keys":1}', b'{"keys":[1]}', b'{"keys":[{"kid":"x"}]}', b"<html>",
         b" " * 70_000, b"[" * 1000],
    )  # fmt: skip
    def test_survives_an_answer_that_is_no_key_set(self, issuer, keys, answer):
        issuer.answer = answer or b" "
        with pytest.raises(ServiceBusy):
            keys.find("ec-1")

    def test_leaves_out_keys_that_must_not_verify(self, issuer, keys):
        weak = rsa.generate_private_key(65537, 1024)
        other_curve = ec.generate_private_key(ec.SECP384R1())
        issuer.published += [
            public_jwk(weak, kid="weak", algorithm="RS256"),
            public_jwk(other_curve, kid="p384"),
            public_jwk(issuer.ec, kid="encryption", use="enc"),
            public_jwk(issuer.ec, kid="signing", key_ops=["sign"]),
            public_jwk(issuer.ec, kid="private", d="AA"),
            public_jwk(issuer.ec, kid="mislabelled", kty="RSA"),
            {"kty": "oct", "kid": "shared", "k": segment(b"x" * 32), "alg": "HS256"},
        ]
        assert keys.find("ec-1") is not None
        left_out = ["weak", "p384", "encryption", "signing", "private", "mislabelled", "shared"]
        assert [keys.find(kid) for kid in left_out] == [None] * 7
