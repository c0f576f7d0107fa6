"""Webhooks as Plaid signs them, and as somebody who would like to be Plaid does."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rest_framework.test import APIClient

from core import inbox
from funding.gateways import plaid_webhooks
from funding.services import webhooks

URL = "/webhook/plaid"
HEADER = "HTTP_PLAID_VERIFICATION"
KID = "bfbd5111-8e33-4643-8ced-b2e642a72f3c"
EXPIRED = "00000000-8e33-4643-8ced-b2e642a72f3c"
PRIVATE = ec.derive_private_key(2**200 + 7, ec.SECP256R1())
OTHER = ec.derive_private_key(2**201 + 9, ec.SECP256R1())
BODY = json.dumps(
    {
        "webhook_type": "ITEM",
        "webhook_code": "ERROR",
        "item_id": "item-1",
        "error": {"error_code": "ITEM_LOGIN_REQUIRED"},
        "environment": "sandbox",
    },
    indent=1,
).encode()


def encoded(plain):
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def jwk(private, kid=KID):
    numbers = private.public_key().public_numbers()
    points = {"x": encoded(numbers.x.to_bytes(32)), "y": encoded(numbers.y.to_bytes(32))}
    return {"alg": "ES256", "crv": "P-256", "kid": kid, "kty": "EC", "use": "sig", **points}


def sign(body=BODY, *, at=None, kid=KID, private=PRIVATE, told=None, header=None, alg="ES256"):
    claims = {
        "iat": int((at or datetime.now(UTC)).timestamp()),
        "request_body_sha256": told or hashlib.sha256(body).hexdigest(),
    }
    return jwt.encode(claims, private, alg, headers={"kid": kid, **(header or {})})


def post(body=BODY, signature=None, **headers):
    signed = {HEADER: sign(body) if signature is None else signature} | headers
    return APIClient().post(URL, data=body, content_type="application/json", **signed)


def kept():
    return list(inbox.InboxEvent.objects.filter(source=webhooks.SOURCE))


def verify(body, signature, *, at=None):
    plaid_webhooks.verify(body=body, signatures=[signature], at=at or datetime.now(UTC))


def claims(**changes):
    now = int(datetime.now(UTC).timestamp())
    return {"iat": now, "request_body_sha256": hashlib.sha256(BODY).hexdigest()} | changes


def with_claims(**changes):
    """Sign any claims at all, as no library would."""
    parts = [{"alg": "ES256", "kid": KID}, claims(**changes)]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{text}.{encoded(algorithm.sign(text.encode(), PRIVATE))}"


def confused(alg="HS256"):
    """Sign with the public key as if it were a shared secret."""
    pem = PRIVATE.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = encoded(json.dumps({"alg": alg, "kid": KID}).encode())
    text = f"{header}.{encoded(json.dumps(claims()).encode())}"
    return f"{text}.{encoded(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"
