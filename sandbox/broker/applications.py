"""Applying for an account: what is asked, and where the application will end."""

import re
import uuid
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal, read_json
from sandbox.broker import accounts, documents, forms, statuses
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import Account

_FIXTURE = re.compile(r"/fixtures/status=([A-Z_]+)/fixtures/")
_TAG = re.compile(r"\+([a-z_]+)@")
_TREATMENTS = {
    "reject_account": "REJECTED",
    "action_required": "ACTION_REQUIRED",
    "approval_pending": "APPROVAL_PENDING",
    "submission_failed": "SUBMISSION_FAILED",
}
# Where the tag of an address such as ada+rejected@example.com can send an application.
_TAGGED = frozenset(
    {
        "ACTION_REQUIRED", "ACTIVE", "AML_REVIEW", "APPROVAL_PENDING", "APPROVED", "INACTIVE",
        "KYC_SUBMITTED", "LIMITED", "ONBOARDING", "PAPER_ONLY", "REJECTED", "SUBMISSION_FAILED",
        "SUBMITTED",
    }
)  # fmt: skip


async def create(broker: Broker, request: Request) -> Any:
    """Open an account; 200 means received, not yet allowed to trade."""
    body = await read_json(request)
    now = broker.now()
    form = forms.read(body, now)
    papers = documents.read(body["documents"], now) if body.get("documents") else []
    _refuse_twice(broker, form["contact"]["email_address"])
    kinds = documents.kinds_of(papers)
    questions = statuses.questions_about(form["identity"], form["disclosures"], kinds)
    destined = _wished(broker, body) or ("ACTION_REQUIRED" if questions else "ACTIVE")
    if destined == "ACTION_REQUIRED":
        questions = questions or [statuses.IDENTITY]
    account = Account(
        id=str(uuid.uuid4()),
        account_number=f"{930000000 + len(broker.books.accounts)}",
        status="SUBMITTED",
        created_at=now,
        changed_at=now,
        documents=papers,
        crypto_status="SUBMITTED" if "crypto" in form["enabled_assets"] else "INACTIVE",
        destined_status=destined,
        open_questions=questions,
        **form,
    )
    broker.books.save(account)
    broker.world.effects.record(
        VENDOR, "account.created", account.id, client_key=None, account_id=account.id
    )
    documents.record(broker, account, papers)
    statuses.announce(broker, account, "", now)
    statuses.plan(broker, account)
    return accounts.full(broker, account)


def _refuse_twice(broker: Broker, email: str) -> None:
    holder = broker.books.by_email.get(email.strip().lower())
    if holder is not None:
        raise Refusal(
            409,
            40910000,
            "email address already exists in this correspondent",
            existing_account_id=holder,
        )


def _wished(broker: Broker, body: dict[str, Any]) -> str:
    """Find where the fault plan, a fixture or the tag of the e-mail address sends it, if any."""
    if treatment := broker.treatment(*_TREATMENTS):
        return _TREATMENTS[treatment]
    if fixture := _FIXTURE.search(str(body.get("additional_information") or "")):
        return fixture.group(1)
    tag = _TAG.search(str(body["contact"]["email_address"]).lower())
    status = tag.group(1).upper() if tag else ""
    return status if status in _TAGGED else ""
