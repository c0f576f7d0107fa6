"""The pretend banks, and the accounts that a person has there."""

import hashlib
import string
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.plaid.records import Item

ROUTING_NUMBER = "011401533"
KINDS = ("checking", "savings")
_CENTS_PER_DOLLAR = 100
_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 37


@dataclass(frozen=True, kw_only=True)
class Institution:
    """
    A bank. With `is_oauth` it lets people sign in on its own page only.

    The vendor names it in what it tells of a login only if `is_named`.
    """

    id: str
    name: str
    is_oauth: bool = False
    is_named: bool = True


INSTITUTIONS = {
    bank.id: bank
    for bank in (
        Institution(id="ins_109508", name="First Platypus Bank"),
        Institution(id="ins_109509", name="First Gingham Credit Union", is_oauth=True),
        Institution(id="ins_56", name="Chase", is_oauth=True),
        Institution(id="ins_127989", name="Bank of America", is_named=False),
    )
}
USUAL_INSTITUTION = "ins_109508"


def account_id(item: Item, kind: str) -> str:
    """Give an account's id, which is another one in each login."""
    return _id(f"{kind}:{item.id}")


def account_number(institution_id: str, person: str, kind: str) -> str:
    """Give the bank's own number, which a second login of the same person shows again."""
    return str(1_000_000_000 + _number(institution_id, person, f"{kind} number", 9_000_000_000))


def mask(institution_id: str, person: str, kind: str) -> str:
    """Give the last four digits."""
    return account_number(institution_id, person, kind)[-4:]


def accounts(item: Item) -> list[dict[str, Any]]:
    """List the accounts that the person shares, with their balances."""
    return [
        {
            "account_id": account_id(item, kind),
            "balances": _balances(item, kind),
            "mask": mask(item.institution_id, item.person, kind),
            "name": account_name(kind),
            "official_name": f"{INSTITUTIONS[item.institution_id].name} {kind.title()}",
            "subtype": kind,
            "type": "depository",
        }
        for kind in item.kinds
    ]


def account_name(kind: str) -> str:
    """Give the name that a person knows an account by."""
    return f"Sandbox {kind.title()}"


def numbers(item: Item) -> list[dict[str, str]]:
    """List the account and routing numbers."""
    return [
        {
            "account": account_number(item.institution_id, item.person, kind),
            "account_id": account_id(item, kind),
            "routing": ROUTING_NUMBER,
            "wire_routing": ROUTING_NUMBER,
        }
        for kind in item.kinds
    ]


def bank_of(item: Item, kind: str) -> dict[str, str]:
    """Tell a processor what it needs to move money."""
    number = account_number(item.institution_id, item.person, kind)
    return {
        "institution": INSTITUTIONS[item.institution_id].name,
        "type": kind.upper(),
        "account_number": number,
        "routing_number": ROUTING_NUMBER,
        "mask": number[-4:],
    }


def new_item_id(person: str, at: datetime, nonce: str) -> str:
    """Make the id of a login."""
    return _id(f"{person}:{at}:{nonce}")


def _id(seed: str) -> str:
    """Make an id as the vendor's are: capitals and small letters are different ones."""
    digest = hashlib.sha512(seed.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_ID_LENGTH])


def _balances(item: Item, kind: str) -> dict[str, Any]:
    whole = 500_000 + _number(item.institution_id, item.person, f"{kind} balance", 4_500_000)
    current = Decimal(whole) / _CENTS_PER_DOLLAR
    return {
        "available": current - 10,
        "current": current,
        "limit": None,
        "iso_currency_code": "USD",
        "unofficial_currency_code": None,
    }


def _number(institution_id: str, person: str, purpose: str, below: int) -> int:
    digest = hashlib.sha256(f"{purpose}:{institution_id}:{person}".encode()).digest()
    return int.from_bytes(digest[:8]) % below
