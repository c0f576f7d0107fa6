"""Vendors in memory that remember every effect, made anew for each cell of the matrix."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from accounts import gateways as accounts
from accounts.gateways import OpenedAccount, Statement, StatementFile
from accounts.gateways.fake import FakeBrokerage
from accounts.tests.factories import alpaca_data
from core.errors import VendorRejected
from funding import gateways as funding
from funding.gateways.fake import FakeFunds, FakeLinks
from ledger import gateways as ledger
from ledger.gateways.fake import FakeBooks
from market import gateways as market
from market.tests.factories import FakeCompanies
from market.tests.factories import vendors as market_vendors
from trading import gateways as trading
from trading.gateways.fake import FakeBroker


class Brokerage(FakeBrokerage):
    """A broker that also knows whose each statement is."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}

    def list_statements(
        self, broker_account_id: str, filters: Mapping[str, str]
    ) -> list[Statement]:
        found = super().list_statements(broker_account_id, filters)
        return [one for one in found if self.owners[one.document_id] == broker_account_id]

    def read_statement(self, broker_account_id: str, document_id: str) -> StatementFile:
        if self.owners.get(document_id) != broker_account_id:
            raise VendorRejected("fake", "not found", http_status=404)
        return super().read_statement(broker_account_id, document_id)


@dataclass
class Vendors:
    """Everybody outside whom a request could make do something."""

    brokerage: Brokerage = field(default_factory=Brokerage)
    funds: FakeFunds = field(default_factory=FakeFunds)
    links: FakeLinks = field(default_factory=FakeLinks)
    broker: FakeBroker = field(default_factory=FakeBroker)

    def effects(self) -> dict[str, str]:
        """Describe all that each of them holds and has been asked, to compare before and after."""
        return {name: _described(vendor) for name, vendor in vars(self).items()}

    def copied(self) -> "Vendors":
        """Make vendors that hold the same and remember on their own."""
        return Vendors(
            brokerage=_copy(self.brokerage, Brokerage()),
            funds=_copy(self.funds, FakeFunds()),
            links=_copy(self.links, FakeLinks()),
            broker=_copy(self.broker, replace(self.broker, _lock=threading.RLock())),
        )

    def open_account(self, broker_account_id: str, *, email: str, document_id: str) -> None:
        """Let the broker know an account, whose it is, and something written for it."""
        data = alpaca_data(email)
        sections = {"contact": data["contact"], "identity": data["identity"]}
        self.brokerage.accounts[broker_account_id] = OpenedAccount(
            broker_account_id, "", "ACTIVE", datetime.now(UTC), email=email, sections=sections
        )
        statement = Statement(document_id, "", "account_statement", "", "2026-01-31")
        self.brokerage.statements.append(statement)
        self.brokerage.owners[document_id] = broker_account_id


@contextmanager
def in_use(vendors: Vendors) -> Iterator[Vendors]:
    """Send everything that is meant for a vendor to these."""
    companies = FakeCompanies({"AAPL": {"symbol": "AAPL"}})
    with ExitStack() as stack:
        stack.enter_context(accounts.use(vendors.brokerage))
        stack.enter_context(funding.use(funds=vendors.funds, links=vendors.links))
        stack.enter_context(ledger.use(FakeBooks()))
        stack.enter_context(trading.use(vendors.broker))
        stack.enter_context(market.use(market_vendors("AAPL", companies=companies)))
        yield vendors


def _copy(old: Any, new: Any) -> Any:
    for name, value in vars(old).items():
        if isinstance(value, dict | list):
            setattr(new, name, value.copy())
    return new


def _described(vendor: Any) -> str:
    held = {n: v for n, v in vars(vendor).items() if n not in {"_clock", "_lock"}}
    return repr(sorted((name, _laid_open(value)) for name, value in held.items()))


def _laid_open(value: Any) -> Any:
    """Show what a repr would keep to itself, such as the fields of an application."""
    if is_dataclass(value):
        return {field.name: _laid_open(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _laid_open(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_laid_open(inner) for inner in value]
    return value
