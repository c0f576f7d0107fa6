"""Alpaca's Broker API, as far as the end of an account is concerned."""

from typing import Final
from urllib.parse import quote

from core.errors import VendorUnavailable
from core.vendors import alpaca

_VENDOR: Final = "alpaca"


class AlpacaClosing:
    """Closes accounts at Alpaca."""

    def close(self, broker_account_id: str) -> None:
        alpaca.broker().write("POST", f"{_path(broker_account_id)}/actions/close")

    def status_of(self, broker_account_id: str) -> str:
        answer = alpaca.broker().read(_path(broker_account_id))
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, str) or not status:
            raise VendorUnavailable(_VENDOR, "The account in the answer has no status.")
        return status


def _path(broker_account_id: str) -> str:
    return f"/v1/accounts/{quote(broker_account_id, safe='')}"
