"""
Tokens that must open nothing: forged, broken, or genuine and yet not an access token for us.

Each entry of `FORGERIES` takes the issuer whose customers we serve and writes one token. All of
them can be sent in a header; `UNSENDABLE` holds those that only a socket's frame can carry.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from core.tests.issuer import Issuer, public_jwk

Forge = Callable[[Issuer], str]
SHARED_SECRET = "a-shared-secret-of-more-than-32-bytes"
YEAR = 365 * 24 * 3600
# The number of points on P-256: a signature's two numbers lie between zero and it.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PEM = (serialization.Encoding.PEM, SPKI)
DER = (serialization.Encoding.DER, SPKI)
POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
COMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


@cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@cache
def p384_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@cache
def stranger() -> ec.EllipticCurvePrivateKey:
    """A key of the right kind that the issuer has never published, or no longer does."""
    return ec.generate_private_key(ec.SECP256R1())


def publish_unusable(issuer: Issuer) -> None:
    """Let the issuer publish keys that no token may be verified with."""
    issuer.published += [
        public_jwk(weak_key(), kid="weak", algorithm="RS256"),
        public_jwk(p384_key(), kid="p384"),
        {"kty": "oct", "kid": "shared", "k": segment(SHARED_SECRET.encode()), "alg": "HS256"},
    ]


# Writing tokens by hand


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def signed(issuer: Issuer, *, header: Any = None, claims: Any = None) -> str:
    """Sign any bytes with the issuer's own key, as no library would let us."""
    head = {"alg": "ES256", "kid": "ec-1"} if header is None else header
    body = issuer.claims() if claims is None else claims
    text = f"{segment(head)}.{segment(body)}"
    return f"{text}.{segment(jwt.get_algorithm_by_name('ES256').sign(text.encode(), issuer.ec))}"


def unsigned(issuer: Issuer, algorithm: Any) -> str:
    return f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{segment(issuer.claims())}."


def hs256(issuer: Issuer, secret: bytes, **header: Any) -> str:
    head = segment({"alg": "HS256", "typ": "JWT", "kid": "ec-1"} | header)
    text = f"{head}.{segment(issuer.claims())}"
    return f"{text}.{segment(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def public(key: Any, encoding: Any, form: Any) -> bytes:
    raw: bytes = key.public_key().public_bytes(encoding, form)
    return raw


def of_a_stranger(issuer: Issuer, **headers: Any) -> str:
    return issuer.token(key=stranger(), headers=headers)


def of_the_weak_key(issuer: Issuer) -> str:
    text = f"{segment({'alg': 'RS256', 'kid': 'weak'})}.{segment(issuer.claims())}"
    return f"{text}.{segment(weak_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def of_the_wrong_curve(issuer: Issuer, algorithm: str) -> str:
    kind = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384()}[algorithm]
    text = f"{segment({'alg': algorithm, 'kid': 'p384'})}.{segment(issuer.claims())}"
    r, s = utils.decode_dss_signature(p384_key().sign(text.encode(), ec.ECDSA(kind)))
    return f"{text}.{segment(r.to_bytes(48, 'big') + s.to_bytes(48, 'big'))}"


def with_claims(issuer: Issuer, old: str, new: str) -> str:
    """Sign claims whose text was changed after it was written."""
    text = json.dumps(issuer.claims())
    assert old in text
    return signed(issuer, claims=text.replace(old, new, 1).encode())


def with_signature(issuer: Issuer, change: Callable[[bytes], bytes]) -> str:
    """Replace the signature of a genuine token by something made of it."""
    head, _, signature = issuer.token().rpartition(".")
    return f"{head}.{segment(change(raw_of(signature)))}"


def numbers_of(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def in_bytes(r: int, s: int, *, width: int = 32) -> bytes:
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def mirrored(token: str) -> str:
    """Write the other signature that verifies, as anybody can who has seen the first."""
    head, _, signature = token.rpartition(".")
    r, s = numbers_of(raw_of(signature))
    return f"{head}.{segment(in_bytes(r, ORDER - s))}"


def respelled(issuer: Issuer, part: int, change: Callable[[str], str]) -> str:
    """Write one part of a genuine token in another way that decodes to the same bytes."""
    parts = issuer.token().split(".")
    parts[part] = change(parts[part])
    return ".".join(parts)


def spare_bits(part: str) -> str:
    """Set a bit that the last character has and the bytes have not."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def plain_alphabet(issuer: Issuer) -> str:
    """Spell a signature with `+` and `/`, once there is one that has such characters."""
    while True:
        head, _, signature = issuer.token().rpartition(".")
        if "-" in signature or "_" in signature:
            return f"{head}.{signature.replace('-', '+').replace('_', '/')}"


def of_somebody_else(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{segment(issuer.claims(sub='customer-2'))}.{signature}"


def as_json(issuer: Issuer) -> str:
    protected, payload, signature = issuer.token().split(".")
    return json.dumps({"protected": protected, "payload": payload, "signature": signature})


def ago(seconds: float) -> int:
    return int(time.time() - seconds)


SHAPES: dict[str, Forge] = {
    "one part": lambda i: "abc",
    "two parts": lambda i: "abc.def",
    "four parts": lambda i: i.token() + ".x",
    "three parts and a dot": lambda i: i.token() + ".",
    "a dot before": lambda i: "." + i.token(),
    "encrypted, five parts": lambda i: i.token() + f".{segment(b'iv')}.{segment(b'tag')}",
    "two tokens": lambda i: f"{i.token()} {i.token()}",
    "in quotes": lambda i: f'"{i.token()}"',
    "the keyword twice": lambda i: f"Bearer {i.token()}",
    "written as JSON": as_json,
    "not base64": lambda i: "!!!.???.***",
    "not ASCII": lambda i: "é" + i.token(),
    "header not an object": lambda i: signed(i, header=[1]),
    "header not JSON": lambda i: signed(i, header=b"{"),
    "header in UTF-16": lambda i: signed(i, header='{"alg":"ES256"}'.encode("utf-16")),
    "header with a byte order mark": lambda i: signed(
        i, header=b'\xef\xbb\xbf{"alg":"ES256","kid":"ec-1"}'
    ),
    "claims not an object": lambda i: signed(i, claims=[1]),
    "claims not JSON": lambda i: signed(i, claims=b"{"),
    "claims a token": lambda i: signed(i, claims=i.token().encode()),
    "claims very deep": lambda i: with_claims(i, "{", '{"x": ' + "[" * 40 + "]" * 40 + ", "),
    "claims not a number": lambda i: with_claims(i, "{", '{"x": NaN, '),
    "16 KB header": lambda i: i.token(headers={"pad": "x" * 16_384}),
    "large claims": lambda i: i.token(pad="x" * 16_384),
    "claim named twice": lambda i: with_claims(i, "{", '{"sub": "customer-2", '),
    "header named twice": lambda i: signed(
        i, header=b'{"alg":"none","alg":"ES256","kid":"ec-1"}'
    ),
    "key id named twice": lambda i: signed(i, header=b'{"alg":"ES256","kid":"x","kid":"ec-1"}'),
    "cut in the middle": lambda i: i.token()[: len(i.token()) // 2],
    "one character short": lambda i: i.token()[:-1],
    "one character more": lambda i: i.token() + "A",
}  # fmt: skip

SPELLINGS: dict[str, Forge] = {
    "header padded": lambda i: respelled(i, 0, lambda part: part + "="),
    "claims padded": lambda i: respelled(i, 1, lambda part: part + "=="),
    "signature padded": lambda i: respelled(i, 2, lambda part: part + "=="),
    "spare bits in the signature": lambda i: respelled(i, 2, spare_bits),
    "signature in the plain alphabet": plain_alphabet,
    "a mark in the signature": lambda i: respelled(i, 2, lambda part: part[:9] + "!" + part[9:]),
    "a space in the signature": lambda i: respelled(i, 2, lambda part: part[:9] + " " + part[9:]),
    "a tab in the signature": lambda i: respelled(i, 2, lambda part: part[:9] + "\t" + part[9:]),
    "a space in the claims": lambda i: respelled(i, 1, lambda part: part[:9] + " " + part[9:]),
    "an accent in the signature": lambda i: respelled(i, 2, lambda part: part[:9] + "é" + part[9:]),
    "a percent sign in the header": lambda i: respelled(i, 0, lambda part: part + "%3D"),
}

ALGORITHMS: dict[str, Forge] = {
    "none": lambda i: unsigned(i, "none"),
    "None": lambda i: unsigned(i, "None"),
    "NONE": lambda i: unsigned(i, "NONE"),
    "nOnE": lambda i: unsigned(i, "nOnE"),
    "none with a signature": lambda i: signed(i, header={"alg": "none", "kid": "ec-1"}),
    "algorithm missing": lambda i: signed(i, header={"kid": "ec-1"}),
    "algorithm a list": lambda i: signed(i, header={"alg": ["ES256"], "kid": "ec-1"}),
    "algorithm in small letters": lambda i: signed(i, header={"alg": "es256", "kid": "ec-1"}),
    "algorithm with a space": lambda i: signed(i, header={"alg": "ES256 ", "kid": "ec-1"}),
    "another hash": lambda i: signed(i, header={"alg": "ES384", "kid": "ec-1"}),
    "RSA-PSS": lambda i: i.token(key=i.rsa, algorithm="PS256", headers={"kid": "rsa-1"}),
    "RS512": lambda i: i.token(key=i.rsa, algorithm="RS512", headers={"kid": "rsa-1"}),
    "HS256 over the PEM": lambda i: hs256(i, public(i.ec, *PEM)),
    "HS256 over the DER": lambda i: hs256(i, public(i.ec, *DER)),
    "HS256 over the raw point": lambda i: hs256(i, public(i.ec, *POINT)),
    "HS256 over the compressed point": lambda i: hs256(i, public(i.ec, *COMPRESSED)),
    "HS256 over the JWK": lambda i: hs256(i, json.dumps(i.published[0]).encode()),
    "HS256 over the RSA key's PEM": lambda i: hs256(i, public(i.rsa, *PEM), kid="rsa-1"),
    "HS256 over the RSA key's DER": lambda i: hs256(i, public(i.rsa, *DER), kid="rsa-1"),
    "HS256 over the empty secret": lambda i: hs256(i, b""),
    "HS256 with a published secret": lambda i: hs256(i, b"published" * 4, kid="shared"),
}

KEYS: dict[str, Forge] = {
    "a stranger's key": of_a_stranger,
    "a key rotated out": lambda i: of_a_stranger(i, kid="ec-0"),
    "brings its key": lambda i: of_a_stranger(i, jwk=public_jwk(stranger(), kid="ec-1")),
    "brings a key URL": lambda i: of_a_stranger(i, jku="http://127.0.0.1/keys"),
    "brings a certificate URL": lambda i: of_a_stranger(i, x5u="http://127.0.0.1/c"),
    "brings a certificate": lambda i: of_a_stranger(i, x5c=["MIIB"]),
    "genuine, but with a key URL": lambda i: i.token(headers={"jku": "http://127.0.0.1/"}),
    "genuine, but with its key": lambda i: i.token(headers={"jwk": i.published[0]}),
    "critical extension": lambda i: i.token(headers={"crit": ["x"], "x": 1}),
    "compressed": lambda i: i.token(headers={"zip": "DEF"}),
    "detached claims": lambda i: signed(
        i, header={"alg": "ES256", "kid": "ec-1", "b64": False, "crit": ["b64"]}
    ),
    "too weak an RSA key": of_the_weak_key,
    "another curve": lambda i: of_the_wrong_curve(i, "ES256"),
    "another curve and its hash": lambda i: of_the_wrong_curve(i, "ES384"),
    "kid of the other type": lambda i: i.token(headers={"kid": "rsa-1"}),
    "RS256 with the EC kid": lambda i: i.token(
        key=i.rsa, algorithm="RS256", headers={"kid": "ec-1"}
    ),
    "kid missing": lambda i: signed(i, header={"alg": "ES256"}),
    "kid is a path": lambda i: i.token(headers={"kid": "../../../../dev/null"}),
    "kid is SQL": lambda i: i.token(headers={"kid": "' OR 1=1 --"}),
    "kid is a URL": lambda i: i.token(headers={"kid": "http://127.0.0.1/key"}),
    "kid is empty": lambda i: i.token(headers={"kid": ""}),
    "kid is long": lambda i: i.token(headers={"kid": "k" * 129}),
    "kid is a number": lambda i: signed(i, header={"alg": "ES256", "kid": 1}),
    "kid is a list": lambda i: signed(i, header={"alg": "ES256", "kid": ["ec-1"]}),
    "kid is null": lambda i: signed(i, header={"alg": "ES256", "kid": None}),
    "kid ends with NUL": lambda i: signed(i, header={"alg": "ES256", "kid": "ec-1\0"}),
}  # fmt: skip

SIGNATURES: dict[str, Forge] = {
    "signature cut off": lambda i: i.token().rpartition(".")[0] + ".",
    "signature of another token": of_somebody_else,
    "signature of zeros": lambda i: with_signature(i, lambda s: in_bytes(0, 0)),
    "r is zero": lambda i: with_signature(i, lambda s: in_bytes(0, numbers_of(s)[1])),
    "s is zero": lambda i: with_signature(i, lambda s: in_bytes(numbers_of(s)[0], 0)),
    "r and s are the order": lambda i: with_signature(i, lambda s: in_bytes(ORDER, ORDER)),
    "r and s exchanged": lambda i: with_signature(i, lambda s: in_bytes(*numbers_of(s)[::-1])),
    "s beyond the order": lambda i: with_signature(
        i, lambda s: in_bytes(numbers_of(s)[0], numbers_of(s)[1] + ORDER, width=33)
    ),
    "signature in DER": lambda i: with_signature(
        i, lambda s: utils.encode_dss_signature(*numbers_of(s))
    ),
    "signature with a byte before": lambda i: with_signature(i, lambda s: b"\0" + s),
    "signature with a byte after": lambda i: with_signature(i, lambda s: s + b"\0"),
    "one bit of the signature": lambda i: with_signature(i, lambda s: s[:-1] + bytes([s[-1] ^ 1])),
}

CLAIMS: dict[str, Forge] = {
    "exp missing": lambda i: i.token(exp=None),
    "exp past": lambda i: i.token(iat=ago(7200), exp=ago(60)),
    "exp far": lambda i: i.token(exp=ago(-YEAR)),
    "exp a text": lambda i: i.token(exp=str(ago(-60))),
    "exp a fraction": lambda i: i.token(exp=ago(-60) + 0.5),
    "exp true": lambda i: i.token(exp=True),
    "exp a list": lambda i: i.token(exp=[ago(-60)]),
    "exp before iat": lambda i: i.token(iat=ago(-20), exp=ago(-10)),
    "exp endless": lambda i: with_claims(i, '"exp": ', '"exp": 1e400, "x": '),
    "exp not a number": lambda i: with_claims(i, '"exp": ', '"exp": NaN, "x": '),
    "exp infinite": lambda i: with_claims(i, '"exp": ', '"exp": Infinity, "x": '),
    "exp of forty digits": lambda i: with_claims(i, '"exp": ', f'"exp": {"9" * 39}, "x": '),
    "iat missing": lambda i: i.token(iat=None),
    "iat future": lambda i: i.token(iat=ago(-600)),
    "iat a text": lambda i: i.token(iat=str(ago(0))),
    "iat a fraction": lambda i: i.token(iat=ago(0) + 0.5),
    "nbf future": lambda i: i.token(nbf=ago(-600)),
    "nbf a word": lambda i: i.token(nbf="soon"),
    "aud missing": lambda i: i.token(aud=None),
    "aud wrong": lambda i: i.token(aud="anon"),
    "aud empty": lambda i: i.token(aud=""),
    "aud a list": lambda i: i.token(aud=["authenticated", "other"]),
    "aud a list of one": lambda i: i.token(aud=["authenticated"]),
    "iss missing": lambda i: i.token(iss=None),
    "iss wrong": lambda i: i.token(iss="https://elsewhere.example/auth/v1"),
    "iss with a slash": lambda i: i.token(iss=f"{i.url}/auth/v1/"),
    "iss in capitals": lambda i: i.token(iss=f"{i.url}/auth/v1".upper()),
    "iss a longer host": lambda i: i.token(iss=f"{i.url}.elsewhere.example/auth/v1"),
    "iss a list": lambda i: signed(i, claims=i.claims(iss=[f"{i.url}/auth/v1"])),
    "role missing": lambda i: i.token(role=None),
    "role anon": lambda i: i.token(role="anon"),
    "role service_role": lambda i: i.token(role="service_role"),
    "role in capitals": lambda i: i.token(role="AUTHENTICATED"),
    "role a list": lambda i: i.token(role=["authenticated"]),
    "anonymous sign-in": lambda i: i.token(is_anonymous=True),
    "anonymous sign-in in words": lambda i: i.token(is_anonymous="true"),
    "anonymous sign-in as a number": lambda i: i.token(is_anonymous=1),
    "sub missing": lambda i: i.token(sub=None),
    "sub null": lambda i: signed(i, claims=i.claims() | {"sub": None}),
    "sub empty": lambda i: i.token(sub=""),
    "sub a number": lambda i: signed(i, claims=i.claims(sub=1)),
    "sub a list": lambda i: signed(i, claims=i.claims(sub=["customer-1"])),
    "sub an object": lambda i: signed(i, claims=i.claims(sub={"id": "customer-1"})),
    "sub with a line break": lambda i: i.token(sub="a\nb"),
    "sub with NUL": lambda i: i.token(sub="customer-1\0"),
    "sub with a space after it": lambda i: i.token(sub="customer-1 "),
    "sub with an invisible character": lambda i: i.token(sub="customer-1\u200b"),
    "sub that turns its direction": lambda i: i.token(sub="\u202ecustomer-1"),
    "sub long": lambda i: i.token(sub="x" * 256),
}  # fmt: skip

FORGERIES: dict[str, Forge] = {
    **SHAPES, **SPELLINGS, **ALGORITHMS, **KEYS, **SIGNATURES, **CLAIMS,
}  # fmt: skip
assert len(FORGERIES) == sum(map(len, (SHAPES, SPELLINGS, ALGORITHMS, KEYS, SIGNATURES, CLAIMS)))

UNSENDABLE: dict[str, Forge] = {
    "nothing": lambda i: "",
    "a line break before": lambda i: "\n" + i.token(),
    "a line break after": lambda i: i.token() + "\n",
    "a line break in the signature": lambda i: respelled(
        i, 2, lambda part: part[:9] + "\n" + part[9:]
    ),
    "half of a surrogate pair": lambda i: i.token() + "\ud800",
    "NUL": lambda i: i.token() + "\0",
}
