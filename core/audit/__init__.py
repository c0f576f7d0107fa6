"""
Who changed or looked at what: rows that are only added, and a chain of hashes over them.

State changes are written by database triggers (`core.db.audit_trail`), so that no code path can
forget them; what is not a change of a row, such as looking at personal data, by `record`.
"""

from core.audit.recording import record

__all__ = ["record"]
