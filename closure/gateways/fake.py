"""A broker in memory that closes accounts, for tests of our own rules."""

from closure.gateways import CLOSED
from core.errors import VendorError, VendorRejected


class FakeClosing:
    """
    Closes whatever it is told to, once.

    `fails_before` and `fails_after` are raised once by the next request, before or after it has
    had its effect; `refusal` is what every request is refused with.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.asked: list[str] = []
        self.refusal = ""
        self.fails_before: VendorError | None = None
        self.fails_after: VendorError | None = None

    def close(self, broker_account_id: str) -> None:
        self.asked.append(broker_account_id)
        self._raise_once("fails_before")
        if self.refusal:
            raise VendorRejected("fake", self.refusal, http_status=422)
        if broker_account_id in self.closed:
            raise VendorRejected("fake", "account is closed already", http_status=422)
        self.closed.append(broker_account_id)
        self.on_closed(broker_account_id)
        self._raise_once("fails_after")

    def on_closed(self, broker_account_id: str) -> None:
        """Let a test's broker do what else it does."""

    def status_of(self, broker_account_id: str) -> str:
        return CLOSED if broker_account_id in self.closed else "ACTIVE"

    def _raise_once(self, name: str) -> None:
        error = getattr(self, name)
        setattr(self, name, None)
        if error is not None:
            raise error
