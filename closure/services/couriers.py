"""Carrying the request to close an account to the broker."""

from typing import ClassVar

from accounts import selectors as accounts
from closure.gateways import CLOSED, get_closing
from closure.models import ClosingRequest
from closure.states import ClosureState
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected
from core.intents import sending
from core.intents.couriers import Courier, Receipt


class ClosingCourier(Courier[ClosingRequest]):
    """
    Has the broker close an account; asking twice does no harm.

    A refusal may mean that it is closed already, so the account's status decides.
    """

    model = ClosingRequest
    resends: ClassVar[bool] = True

    def send(self, intent: ClosingRequest) -> Receipt:
        """Ask for it; see `Courier.send`."""
        broker_account_id = _broker_id_of(intent)
        try:
            get_closing().close(broker_account_id)
        except VendorRejected:
            if get_closing().status_of(broker_account_id) != CLOSED:
                raise
        return Receipt(CLOSED)

    def find(self, intent: ClosingRequest) -> Receipt | None:
        """See whether the account is closed."""
        status = get_closing().status_of(_broker_id_of(intent))
        return Receipt(CLOSED) if status == CLOSED else None

    def may_send(self, intent: ClosingRequest) -> bool:
        """Hold it back when the closure was stopped, or the account, since it was written."""
        is_running = intent.closure.state == ClosureState.RUNNING
        return is_running and not intent.account.is_frozen


def _broker_id_of(intent: ClosingRequest) -> str:
    with acting_as(SYSTEM):
        broker_account_id = accounts.broker_id_of(intent.account)
    sending.release_connection()
    return broker_account_id
