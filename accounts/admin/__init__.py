"""What operations staff sees of customers and does for them."""

from accounts.admin import accounts, submissions

__all__ = ["accounts", "submissions"]
