"""Naming an account in a body or a query."""

from core.api.fields import StrictCharField, StrictSerializer


class AccountNamed(StrictSerializer):
    """A body or a query that names an account."""

    ignores_unknown = True
    accountId = StrictCharField(max_length=64)  # noqa: N815 - the reference's name
