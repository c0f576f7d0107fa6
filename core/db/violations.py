"""Which database constraint a statement has broken."""

from django.db import IntegrityError


def broken_constraint(error: IntegrityError) -> str:
    """Name the constraint, or return an empty text when PostgreSQL names none."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or ""
