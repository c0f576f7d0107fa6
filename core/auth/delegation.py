"""Services that work with a customer's data: who named whom is on record."""

from core import audit
from core.auth.principals import Principal


def act_for(principal: Principal, user_id: str, *, via: str) -> Principal:
    """
    Become the principal that works with the data of `user_id`, and record that a key did so.

    A customer who names themself, and a key that has named its customer already, leave no entry.

    :param via: where the customer was named, such as `header`, `body` or `account`.
    :raises UserMismatch: a customer names somebody else.
    :raises Forbidden: the key lacks `act_for`.
    """
    acting = principal.acting_for(user_id)
    if acting != principal:
        audit.record("auth.acted_for", principal=principal, user_id=user_id, via=via)
    return acting
