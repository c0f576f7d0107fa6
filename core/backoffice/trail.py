"""How the entries of the audit trail are told to people."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from core.audit.models import AuditEntry
from core.backoffice import columns, pages

# What was done, as somebody who reads it would say it; an action without words is shown as it is.
DEEDS: Final[dict[str, str]] = {
    "account.dismissed": "Application dismissed",
    "account.frozen": "Frozen",
    "account.synced": "Broker asked",
    "account.unfrozen": "Freeze lifted",
    "api_key.created": "Key made",
    "api_key.revoked": "Key revoked",
    "api_key.rotated": "Key rotated",
    "audit.fault_found": "Trail broken",
    "audit.verified": "Trail verified",
    "auth.acted_for": "Acted for the customer",
    "document.requested": "Document asked for",
    "drift.proposed": "Remedy proposed",
    "drift.resolved": "Difference settled",
    "drift.withdrawn": "Remedy withdrawn",
    "ledger.asked": "Books compared",
    "pii.revealed": "Personal data shown",
    "row.added": "Written down",
    "row.changed": "Changed",
    "row.removed": "Removed",
    "review.looked_up": "Broker's list read",
    "risk_limit.set": "Limits for orders set",
    "staff.code_refused": "Wrong code",
    "staff.created": "Member made",
    "staff.deactivated": "Member deactivated",
    "staff.locked_out": "Locked out",
    "staff.password_set": "Password set",
    "staff.reactivated": "Member reactivated",
    "staff.role_changed": "Role changed",
    "staff.second_factor_enrolled": "Second factor set up",
    "staff.second_factor_reset": "Second factor reset",
    "staff.signed_in": "Signed in",
    "staff.unlocked": "Unlocked",
    "symbol.restricted": "Symbol restricted",
    "symbol.unrestricted": "Restriction lifted",
    "table.exported": "Rows taken out",
    "transfer_limit.set": "Limits set",
    "transfer_return.resolved": "Return settled",
    "verdict.confirmed": "Verdict confirmed",
    "verdict.proposed": "Verdict proposed",
    "verdict.withdrawn": "Verdict withdrawn",
}
COLOURS: Final[dict[str, str]] = {
    "account.dismissed": "warning",
    "account.frozen": "danger",
    "account.unfrozen": "success",
    "audit.fault_found": "danger",
    "pii.revealed": "warning",
    "row.removed": "danger",
    "staff.code_refused": "danger",
    "staff.locked_out": "danger",
}
# A hash tells people nothing, and the hash of a proposal is what a customer approves it by.
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def deed(action: str) -> str:
    """Say what was done."""
    return DEEDS.get(action, action)


def notes(entry: AuditEntry, *, without: frozenset[str] = frozenset()) -> list[str]:
    """List what an entry holds, a line each: what was noted, or which columns changed to what."""
    if not entry.action.startswith("row."):
        return [f"{name}: {_text(value)}" for name, value in entry.details.items()]
    before, after = _mapping(entry.details, "from"), _mapping(entry.details, "to")
    changed = {
        name for name in {*before, *after} if (before.get(name) or "") != (after.get(name) or "")
    }
    return [_change(name, before, after) for name in sorted(changed - without)]


def _mapping(details: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = details.get(name)
    return found if isinstance(found, Mapping) else {}


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if name not in before:
        return f"{name}: {_text(after[name])}"
    return f"{name}: {_text(before[name])} → {_text(after.get(name))}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or columns.NOTHING
    if value in (None, ""):
        return columns.NOTHING
    text = str(value)
    return f"{text[:8]}…" if _HASH.fullmatch(text) else text


def subject(entry: AuditEntry) -> SafeString | str:
    """Name what an entry is about, linked to its page."""
    if not entry.subject_kind:
        return columns.NOTHING
    words = format_html(
        "{} {}", pages.word_for(entry.subject_kind), columns.short(entry.subject_id)
    )
    url = _page_of(entry)
    return words if url is None else columns.link(url, words)


def _page_of(entry: AuditEntry) -> str | None:
    if entry.subject_kind == "core.ApiKey":  # named by its public id, which is not its key
        return f"{reverse('admin:core_apikey_changelist')}?{urlencode({'q': entry.subject_id})}"
    return pages.page_of(entry.subject_kind, entry.subject_id)
