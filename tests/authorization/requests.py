"""Bodies that the table's longer requests have, made from what the asker has."""

import base64
from typing import Any

from accounts.tests.factories import alpaca_data
from tests.authorization.kinds import Rows


def application(it: Rows) -> dict[str, Any]:
    return {"userId": it.user, "alpacaData": alpaca_data(it.email)}


def bank(it: Rows) -> dict[str, Any]:
    return {
        "accountId": it.account,
        "bankAccountType": "CHECKING",
        "bankAccountNumber": "987654321",
        "bankRoutingNumber": "121000358",
    }


def passport(_: Rows) -> dict[str, Any]:
    return {
        "document_type": "identity_verification",
        "document_sub_type": "passport",
        "content": base64.b64encode(b"%PDF-1.4 a passport").decode(),
        "mime_type": "application/pdf",
    }


def question(it: Rows) -> dict[str, Any]:
    return {
        "user_input": "How am I doing?",
        "user_id": it.user,
        "account_id": it.account,
        "session_id": it.conversation,
    }
