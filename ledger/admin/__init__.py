"""What operations staff sees of the ledger, and how they settle where it differs."""

from ledger.admin import drifts, entries

__all__ = ["drifts", "entries"]
