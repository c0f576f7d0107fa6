"""What every view of trading needs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rest_framework.request import Request

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from core.auth import Principal
from core.errors import CleraError

SCOPES = permissions.scopes("trading")
# The rules know the price of an exit by one word; in a body it is a field of an object.
EXITS: Final = {
    "take_profit_price": "take_profit.limit_price",
    "stop_loss_price": "stop_loss.stop_price",
    "stop_loss_limit_price": "stop_loss.limit_price",
}


def principal_for(request: Request, account_id: str) -> Principal:
    """Say who asks; a service that may act for customers acts for the account's owner."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)


@contextmanager
def in_words_of(body: Mapping[str, str]) -> Iterator[None]:
    """Name the fields of a refusal as the body of the request calls them."""
    try:
        yield
    except CleraError as error:
        error.field_errors = {
            body.get(name, name): rules for name, rules in error.field_errors.items()
        }
        raise
