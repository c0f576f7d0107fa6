"""Webhooks under the real ASGI protocol: what a test client cannot send."""

import gzip
import json

import pytest
from asgiref.testing import ApplicationCommunicator

from core.api.body_limit import LimitBody
from core.api.handler import OneThread
from funding.gateways import plaid_webhooks
from funding.tests.plaid_signing import BODY, sign

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _vendors(funds):
    plaid_webhooks.KEYS.forget()


async def post(body, *headers, signatures=(), in_pieces=False):
    named = [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers]
    named += [(b"plaid-verification", signature.encode()) for signature in signatures]
    length = (b"transfer-encoding", b"chunked")
    if not in_pieces:
        length = (b"content-length", str(len(body)).encode())
    scope = {
        "type": "http", "method": "POST", "path": "/webhook/plaid", "query_string": b"",
        "headers": [*named, length], "http_version": "1.1", "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 40000),
    }  # fmt: skip
    communicator = ApplicationCommunicator(LimitBody(OneThread()), scope)
    await communicator.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await communicator.receive_output(10)
    answer = await communicator.receive_output(10)
    await communicator.wait(10)
    return start["status"], json.loads(answer["body"])["code"]


async def test_a_signature_twice_is_none():
    assert await post(BODY, signatures=[sign(), sign()]) == (401, "unauthenticated")


async def test_pieces_are_refused_by_name():
    assert await post(BODY, signatures=[sign()], in_pieces=True) == (411, "length_required")


async def test_what_is_compressed_is_refused_by_name():
    encoding = (b"content-encoding", b"gzip")

    answer = await post(gzip.compress(BODY), encoding, signatures=[sign()])

    assert answer == (415, "unsupported_media_type")


@pytest.mark.parametrize("size", [70_000, 300_000])
async def test_what_is_too_large_is_refused_unread(size):
    assert await post(b" " * size, signatures=[sign()]) == (413, "body_too_large")
