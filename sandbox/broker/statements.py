"""Papers that the broker writes about an account: the application, statements, confirmations."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import files, pdf
from sandbox.answers import Refusal, decimal_text
from sandbox.broker import fields, figures
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.records import Account, Activity

# The broker writes nothing about an account that was never in use.
_NEVER_IN_USE = frozenset(
    {
        "ACTION_REQUIRED", "AML_REVIEW", "APPROVAL_PENDING", "APPROVED", "KYC_SUBMITTED",
        "ONBOARDING", "REJECTED", "SIGNED_UP", "SUBMISSION_FAILED", "SUBMITTED",
    }
)  # fmt: skip
# What can be asked for; of the older types there are none here.
_TYPES: Final = frozenset(
    {
        "account_application", "account_statement", "trade_confirmation", "trade_confirmation_json",
        "tax_statement", "tax_1099_b_details", "tax_1099_b_form", "tax_1099_div_details",
        "tax_1099_div_form", "tax_1099_int_details", "tax_1099_int_form", "tax_w8",
    }
)  # fmt: skip
# When the papers of a tax year are ready: its form depends on where taxes are paid.
_TAX_FORMS = {True: ("1099-Comp", (2, 15)), False: ("1042-S", (3, 15))}


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One document about the days from `begins` to `ends`; the latter is its date."""

    account_id: str
    type: str
    begins: date
    ends: date
    sub_type: str = ""

    @property
    def id(self) -> str:
        """The same for the same paper at any time, so that nothing has to be kept."""
        name = f"urn:clera-sandbox:document:{self.account_id}:{self.type}:{self.ends}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    def as_json(self) -> dict[str, Any]:
        """Show it as the vendor does, who gives no names."""
        return {
            "id": self.id,
            "name": "",
            "type": self.type,
            "sub_type": self.sub_type,
            "date": self.ends.isoformat(),
        }


def papers_of(broker: Broker, account: Account) -> list[Paper]:
    """List all papers about an account, the newest first."""
    if account.status in _NEVER_IN_USE:
        return []
    opened, today = account.created_at.astimezone(NEW_YORK).date(), figures.today(broker)
    papers = [
        Paper(account_id=account.id, type="account_application", begins=opened, ends=opened),
        *_statements(account, opened, today),
        *_confirmations(broker, account, today),
        *_tax_statements(account, opened, today),
    ]
    return sorted(papers, key=lambda paper: (paper.ends, paper.type), reverse=True)


def _statements(account: Account, opened: date, today: date) -> Iterator[Paper]:
    """Write one for each month that is over."""
    begins = opened.replace(day=1)
    while (following := _month_after(begins)) <= today:
        yield Paper(
            account_id=account.id,
            type="account_statement",
            begins=begins,
            ends=following - timedelta(days=1),
        )
        begins = following


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _confirmations(broker: Broker, account: Account, today: date) -> Iterator[Paper]:
    """Write one for each day with a fill, overnight."""
    lines = broker.books.activities.get(account.id, [])
    days = {_day(line) for line in lines if line.is_fill}
    for day in days:
        if day < today:
            yield Paper(account_id=account.id, type="trade_confirmation", begins=day, ends=day)


def _tax_statements(account: Account, opened: date, today: date) -> Iterator[Paper]:
    is_american = account.identity.get("country_of_tax_residence", "USA") == "USA"
    form, (month, day) = _TAX_FORMS[is_american]
    for year in range(opened.year, today.year):
        written = date(year + 1, month, day)
        if written <= today:
            yield Paper(
                account_id=account.id,
                type="tax_statement",
                sub_type=form,
                begins=date(year, 1, 1),
                ends=written,
            )


def _day(line: Activity) -> date:
    return line.at.astimezone(NEW_YORK).date()


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer the papers between two dates, both included, and of one type if so asked."""
    account = broker.account(request.path_params["account_id"])
    query = request.query_params
    start, end = (
        fields.day(name, query[name]) if query.get(name) else "" for name in ("start", "end")
    )
    wanted = query.get("type") or ""
    if wanted:
        fields.one_of(_TYPES)("type", wanted)
    return [
        paper.as_json()
        for paper in papers_of(broker, account)
        if (not start or paper.ends.isoformat() >= start)
        and (not end or paper.ends.isoformat() <= end)
        and wanted in {"", paper.type}
    ]


async def show(broker: Broker, request: Request) -> Any:
    """Answer what one paper is."""
    account = broker.account(request.path_params["account_id"])
    return find(broker, account, request.path_params["document_id"]).as_json()


async def download(broker: Broker, request: Request) -> Response:
    """Send the reader on to where the file lies; the link is good for a while only."""
    account = broker.account(request.path_params["account_id"])
    paper = find(broker, account, request.path_params["document_id"])
    base = f"{request.url.scheme}://{request.url.netloc}"
    return RedirectResponse(base + files.link(broker.world, f"{account.id}/{paper.id}"), 301)


def find(broker: Broker, account: Account, document_id: str) -> Paper:
    """
    Find a paper about an account.

    :raises Refusal: there is none.
    """
    for paper in papers_of(broker, account):
        if paper.id == document_id.lower():
            return paper
    raise Refusal(404, 40410000, "document not found")


def print_file(broker: Broker, name: str) -> bytes:
    """
    Print the paper that a link names.

    :raises Refusal: there is none.
    """
    account_id, _, document_id = name.partition("/")
    account = broker.account(account_id)
    paper = find(broker, account, document_id)
    lines = [
        line
        for line in broker.books.activities.get(account.id, [])
        if paper.begins <= _day(line) <= paper.ends
    ]
    return pdf.write(
        [
            "Pretend Securities - not a real document",
            f"{paper.type.replace('_', ' ').capitalize()} {paper.sub_type}".strip(),
            f"Account {account.account_number}",
            f"From {paper.begins} to {paper.ends}",
            "",
            *([_line(each) for each in lines] or ["Nothing was booked in this time."]),
        ]
    )


def _line(line: Activity) -> str:
    cash = format(line.moved, ".2f")
    if not line.is_fill:
        return f"{_day(line)}  {line.activity_type}  {line.description}  {cash} USD"
    traded = f"{line.side} {decimal_text(line.qty)} {line.symbol} at {decimal_text(line.price)}"
    return f"{_day(line)}  {line.activity_type}  {traded}  {cash} USD"
