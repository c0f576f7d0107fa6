"""A customer who leaves, and the vendors around: what the broker does, and what time it is."""

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from accounts import gateways as account_gateways
from accounts import services as account_services
from accounts.gateways import OpenedAccount
from accounts.gateways.fake import FakeBrokerage
from accounts.tests.factories import customer
from closure import gateways as closing_gateways
from closure.gateways.fake import FakeClosing
from closure.models import ClosingRequest, Closure, ClosureStep
from closure.services import starting, steering
from core import inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorRejected
from funding import gateways as funding_gateways
from funding.gateways.fake import FakeFunds, FakeLinks
from funding.models import Transfer
from funding.services import transfer_upkeep
from funding.tests.factories import make_bank
from market import gateways as market_gateways
from market import selectors as market
from market import trading_days
from market.tests import factories as market_factories
from trading import gateways as trading_gateways
from trading.gateways import BrokerCash
from trading.gateways.fake import FakeBroker
from trading.models import Order
from trading.states import is_open
from trading.tests import factories as trading_factories
from trading.tests.telling import tell

HUNDRED = Decimal(100)
_numbers = itertools.count(1)


@dataclass
class Exchange(FakeBroker):
    """A broker that releases what was sold a day later, and holds back what is on its way out."""

    unsettled: Decimal = Decimal(0)
    leaving: Decimal = Decimal(0)

    def tell(self, client_order_id, kind, **figures):
        """Number events through all worlds of a test: the inbox takes each number once."""
        event = super().tell(client_order_id, kind, **figures)
        event["event_ulid"] = f"01KE6Z3M5Q{next(_numbers):016d}"
        return event

    def get_cash(self, *, broker_account_id):
        told = super().get_cash(broker_account_id=broker_account_id)
        free = told.cash - self.unsettled - self.leaving
        return BrokerCash(
            cash=told.cash, buying_power=told.buying_power, withdrawable=free, currency="USD"
        )


class Funds(FakeFunds):
    """Money that leaves is held back at the exchange until it has arrived."""

    def __init__(self, exchange):
        super().__init__()
        self.exchange = exchange

    def add_transfer(self, broker_account_id, payment):
        moved = super().add_transfer(broker_account_id, payment)
        if payment.direction == "OUTGOING":
            self.exchange.leaving += payment.amount
        return moved


class Desk(FakeClosing):
    """Closes only what is empty, and tells the stream of it unless that is lost."""

    def __init__(self, exchange, brokerage):
        super().__init__()
        self.exchange = exchange
        self.brokerage = brokerage
        self.tells = True

    def close(self, broker_account_id):
        if not self.refusal and broker_account_id not in self.closed and not self.is_empty:
            self.asked.append(broker_account_id)
            raise VendorRejected("fake", "account is not empty", http_status=422)
        super().close(broker_account_id)

    @property
    def is_empty(self):
        is_trading = any(is_open(order.status) for order in self.exchange.orders.values())
        return not (self.exchange.positions or self.exchange.cash or is_trading)

    def on_closed(self, broker_account_id):
        now = datetime.now(UTC)
        closed = OpenedAccount(broker_account_id, "", "ACCOUNT_CLOSED", now)
        self.brokerage.accounts[broker_account_id] = closed
        if self.tells:
            told = {"account_id": broker_account_id, "status_to": "ACCOUNT_CLOSED"}
            name = f"closed-{broker_account_id}"
            inbox.receive(account_services.SOURCE, name, {**told, "at": now.isoformat()})
            account_services.apply_events()


@dataclass
class World:
    exchange: Exchange = field(default_factory=Exchange)
    brokerage: FakeBrokerage = field(default_factory=FakeBrokerage)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self):
        self.funds = Funds(self.exchange)
        self.desk = Desk(self.exchange, self.brokerage)
        self.market = market_factories.vendors()
        self.symbols = []

    @contextmanager
    def in_use(self):
        with ExitStack() as stack:
            stack.enter_context(trading_gateways.use(self.exchange))
            stack.enter_context(account_gateways.use(self.brokerage))
            stack.enter_context(funding_gateways.use(funds=self.funds, links=FakeLinks()))
            stack.enter_context(closing_gateways.use(self.desk))
            stack.enter_context(market_gateways.use(self.market))
            yield self

    # Who leaves

    def customer(self, *, cash="500.00", positions=None, user_id=""):
        """Somebody with an approved bank, cash, and some shares."""
        self.know_days()
        self.symbols = sorted(positions or {})
        for symbol in self.symbols:
            trading_factories.new_instrument(symbol, price="100.00")
        account = trading_factories.new_account(user_id)
        self.exchange.cash = Decimal(cash)
        self.exchange.positions = {
            symbol: (Decimal(quantity), Decimal(quantity) * HUNDRED)
            for symbol, quantity in (positions or {}).items()
        }
        trading_factories.fund(account, cash=cash, positions=positions)
        self.bank = make_bank(account)
        self.account = account
        return account

    def know_days(self, *, closed=()):
        today = self.at.date()
        days = market_factories.calendar(
            today - timedelta(days=30), today + timedelta(days=400), closed=closed
        )
        self.market.broker.days = days
        trading_days.forget_asking()
        trading_days.read(at=datetime.now(UTC))

    def initiate(self, *, request=None, **changes):
        given = {
            "principal": customer(self.account.user_id),
            "account_id": self.account.pk,
            "relationship_id": self.bank.pk,
            "confirm_liquidation": True,
            "confirm_irreversible": True,
            "request": request,
            "at": self.at,
        }
        self.closure = starting.initiate(**{**given, **changes})
        return self.closure

    # What happens

    def advance(self, **passed):
        """Let time pass, and let the worker look."""
        self.at += timedelta(**passed) if passed else timedelta(minutes=11)
        self.look()
        return self.row()

    def look(self):
        """Let the worker look, with prices of this moment."""
        market._session.clear()
        self.market.data.found = {
            symbol: market_factories.snapshot(symbol, at=self.at) for symbol in self.symbols
        }
        steering.run_due(at=self.at)

    def fill(self, *, price=HUNDRED, part=None):
        """Fill what is open at the exchange, or a part of it, and tell of it."""
        for name, order in list(self.exchange.orders.items()):
            ticket = self.exchange.tickets[name]
            if is_open(order.status):
                left = ticket.quantity - order.filled_quantity
                quantity = left if part is None else min(left, Decimal(part))
                self.exchange.unsettled += quantity * price
                tell(self.exchange.fill(name, quantity, price))

    def end_day(self):
        """Let the broker end what is still open, as it does with orders for the day."""
        for name, order in list(self.exchange.orders.items()):
            if is_open(order.status):
                tell(self.exchange.move(name, "canceled"))

    def settle(self):
        """Let the broker release what was sold."""
        self.exchange.unsettled = Decimal(0)

    def arrive(self):
        """Let what is on its way reach the bank."""
        for _, moved in list(self.funds.transfers):
            if moved.direction == "OUTGOING" and moved.status == "QUEUED":
                self.funds.settle(moved.broker_transfer_id, "COMPLETE")
                self.exchange.cash -= moved.amount
                self.exchange.leaving -= moved.amount
        self.hear_of_transfers()

    def bounce(self, reason="R03: no account/unable to locate account"):
        """Let the bank send the last withdrawal back after it had arrived."""
        _, moved = self.funds.transfers[-1]
        self.funds.settle(moved.broker_transfer_id, "RETURNED", reason)
        self.exchange.cash += moved.amount
        self.hear_of_transfers()

    def hear_of_transfers(self):
        with acting_as(SYSTEM):
            Transfer.objects.filter(account_id=self.account.pk).update(due_at=Now())
        transfer_upkeep.refresh_transfers(at=datetime.now(UTC))

    def leases_run_out(self):
        """Let it be so late that whoever died holds nothing any more."""
        long_ago = Now() - timedelta(minutes=1)
        with acting_as(SYSTEM):
            Closure.objects.filter(lease_until__isnull=False).update(lease_until=long_ago)
            for model in (Order, Transfer, ClosingRequest):
                ours = model.objects.filter(account_id=self.account.pk)
                ours.filter(lease_until__isnull=False).update(lease_until=long_ago)
                ours.update(due_at=long_ago, created_at=long_ago)

    # How it stands

    def row(self):
        with acting_as(SYSTEM):
            return Closure.objects.get(pk=self.closure.pk)

    def account_row(self):
        with acting_as(SYSTEM):
            return type(self.account).objects.get(pk=self.account.pk)

    def log(self):
        with acting_as(SYSTEM):
            steps = ClosureStep.objects.filter(closure_id=self.closure.pk).order_by("id")
            return [(step.step, step.what) for step in steps]

    def orders(self):
        with acting_as(SYSTEM):
            return list(Order.objects.filter(account_id=self.account.pk).order_by("created_at"))

    def paid_out(self):
        return [moved.amount for _, moved in self.funds.transfers if moved.status == "COMPLETE"]
