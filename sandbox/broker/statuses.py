"""The way of an account from its application on: which status follows which, and why."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sandbox.answers import Refusal, as_bool
from sandbox.broker.core import Broker
from sandbox.broker.records import Account, Event

# Simulated seconds an account stays in a status that it leaves by itself.
_SECONDS = {"SUBMITTED": 1.0, "APPROVED": 1.0, "ACCOUNT_UPDATED": 2.0}

W8BEN = "W8BEN_CORRECTION"
IDENTITY = "IDENTITY_VERIFICATION"
# What a yes among the disclosures makes the broker ask for.
QUESTIONS = {
    "is_control_person": "CONTROL_PERSON",
    "is_affiliated_exchange_or_finra": "AFFILIATED",
    "is_politically_exposed": "PEP",
    "immediate_family_exposed": "FAMILY_MEMBER_PEP",
}
_LONGEST_STATUS = 64


def questions_about(
    identity: dict[str, Any], disclosures: dict[str, Any], kinds: Collection[str]
) -> list[str]:
    """List what an application with these kinds of documents leaves open."""
    found = [code for name, code in QUESTIONS.items() if disclosures.get(name)]
    # Who pays taxes elsewhere has to say so on the tax office's form.
    if identity.get("country_of_tax_residence", "USA") != "USA" and "w8ben" not in kinds:
        found.append(W8BEN)
    return found


def plan(broker: Broker, account: Account) -> None:
    """Put the account's next step on the agenda; after a restart too."""
    if _following(account) is None:
        return
    status, came_at = account.status, account.changed_at

    def go_on(at: datetime) -> None:
        # Somebody may have moved it, or turned it elsewhere, in the meantime.
        following = _following(account)
        is_still_here = (account.status, account.changed_at) == (status, came_at)
        if is_still_here and following is not None:
            move(broker, account, following, at)

    broker.later(came_at, _SECONDS[status], go_on)


def _following(account: Account) -> str | None:
    if account.status == account.destined_status:
        return None
    is_to_be_active = account.destined_status == "ACTIVE"
    if account.status == "SUBMITTED":
        return "APPROVED" if is_to_be_active else account.destined_status
    return "ACTIVE" if is_to_be_active and account.status in _SECONDS else None


def move(broker: Broker, account: Account, status: str, at: datetime) -> None:
    """Give an account another status, tell the stream, and plan what follows."""
    change(broker, account, status, at, kyc_results=results_at(account, status))
    plan(broker, account)


def change(
    broker: Broker,
    account: Account,
    status: str,
    at: datetime,
    *,
    kyc_results: dict[str, Any] | None,
    reason: str = "",
) -> Event:
    """Give an account another status and tell the stream."""
    before, account.status, account.changed_at = account.status, status, at
    account.kyc_results = kyc_results
    if account.crypto_status != "INACTIVE":
        account.crypto_status = status
    broker.books.save(account)
    return announce(broker, account, before, at, reason)


def announce(
    broker: Broker, account: Account, before: str, at: datetime, reason: str = ""
) -> Event:
    """Tell the stream which status an account has, and which it had."""
    return broker.hub.publish(
        "accounts",
        account.id,
        at,
        {
            "account_id": account.id,
            "account_number": account.account_number,
            "status_from": before,
            "status_to": account.status,
            "kyc_results": account.kyc_results,
            "reason": reason,
        },
    )


def results_at(account: Account, status: str) -> dict[str, Any] | None:
    """Word what the checks of a person have found by the time of a status."""
    match status:
        case "ACTION_REQUIRED":
            return _found(indeterminate=account.open_questions or [IDENTITY], summary="fail")
        case "APPROVAL_PENDING":
            return _found(indeterminate=["WATCHLIST_HIT"], summary="fail")
        case "REJECTED":
            return _found(reject=[IDENTITY], summary="fail")
        case "APPROVED" | "ACTIVE" if account.kyc_results is not None:
            return _found(accept=_codes(account.kyc_results), summary="pass")
    return account.kyc_results


def _found(
    *,
    accept: Collection[str] = (),
    indeterminate: Collection[str] = (),
    reject: Collection[str] = (),
    summary: str,
) -> dict[str, Any]:
    return {
        "accept": {code: {} for code in accept},
        "indeterminate": {code: {} for code in indeterminate},
        "reject": {code: {} for code in reject},
        "additional_information": "",
        "summary": summary,
    }


def _codes(results: dict[str, Any], *kinds: str) -> list[str]:
    return [
        code
        for kind in kinds or ("accept", "indeterminate", "reject")
        for code in results.get(kind) or ()
    ]


def answer(broker: Broker, account: Account, kinds: Collection[str], at: datetime) -> None:
    """
    Settle what documents of these kinds answer; once nothing is open, the account goes on.

    A w8ben settles the question of the tax form, any other document all the other questions.
    """
    has_other = any(kind != "w8ben" for kind in kinds)
    account.open_questions = [
        code
        for code in account.open_questions
        if (code == W8BEN and "w8ben" not in kinds) or (code != W8BEN and not has_other)
    ]
    if account.status == "ACTION_REQUIRED" and account.kyc_results is not None:
        still = account.open_questions
        settled = [code for code in _codes(account.kyc_results) if code not in still]
        account.kyc_results = _found(
            accept=settled, indeterminate=still, summary="fail" if still else "pass"
        )
    is_answered = not account.open_questions and account.destined_status == "ACTION_REQUIRED"
    if is_answered:
        account.destined_status = "ACTIVE"
    broker.books.save(account)
    if is_answered and account.status == "ACTION_REQUIRED":
        move(broker, account, "APPROVED", at)


def set_by_hand(broker: Broker, account_id: str, body: Any) -> Account:
    """
    Move an account to any status, known or not, and tell the stream.

    From APPROVED, ACCOUNT_UPDATED and SUBMITTED it goes on as usual, unless it `stays`.

    :raises Refusal: there is no such account, or the body is not understood.
    """
    account = broker.account(account_id)
    if not isinstance(body, dict) or not {"status", "crypto_status"} & body.keys():
        raise Refusal(400, 40010000, "status or crypto_status is required")
    reason, results = str(body.get("reason") or ""), body.get("kyc_results")
    if results is not None and not isinstance(results, dict):
        raise Refusal(400, 40010000, "kyc_results must be an object")
    crypto_status = _named(body, "crypto_status")
    if status := _named(body, "status"):
        goes_on = status in _SECONDS and not as_bool(body.get("stays", False))
        account.destined_status = "ACTIVE" if goes_on else status
        account.open_questions = _left_open(account, status, results)
        wanted = results_at(account, status) if results is None else results
        change(broker, account, status, broker.now(), kyc_results=wanted, reason=reason)
        plan(broker, account)
    if crypto_status:
        account.crypto_status = crypto_status
        broker.books.save(account)
    return account


def _left_open(account: Account, status: str, results: dict[str, Any] | None) -> list[str]:
    if results is not None:
        return _codes(results, "indeterminate", "reject")
    return (account.open_questions or [IDENTITY]) if status == "ACTION_REQUIRED" else []


def _named(body: dict[str, Any], name: str) -> str:
    status = body.get(name, "")
    if not isinstance(status, str) or len(status) > _LONGEST_STATUS:
        raise Refusal(400, 40010000, f"{name} must be a short text")
    return status
