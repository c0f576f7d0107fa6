"""What operations staff sees of banks, transfers and what went wrong, and what it does about it."""

from funding.admin import banks, limits, plaid, returns, transfers, verdicts

__all__ = ["banks", "limits", "plaid", "returns", "transfers", "verdicts"]
