"""What shall go wrong, and how often: the plan behind `/_control/faults`."""

import itertools
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

# Where a fault strikes. `http`: around one request. `stream`: on one server-sent event or frame.
# `behaviour`: inside a vendor, which then does something rarer than usual.
HTTP_KINDS = {"delay", "hang", "reset", "status", "garbage", "cut", "quote", "unknown_value"}
STREAM_KINDS = {
    "duplicate", "drop", "reorder", "dropped", "disconnect", "cut_frame", "stall",
    "unknown_status", "bad_json", "overtaken",
}  # fmt: skip
BEHAVIOUR_KINDS = {
    "partial_fill", "reject_order", "order_replace_rejected", "order_cancel_rejected",
    "reject_account", "action_required", "reject_transfer",
    "return_transfer", "cancel_ach", "approval_pending", "submission_failed", "account_updated",
    "webhook_drop", "webhook_duplicate", "webhook_late",
}  # fmt: skip

# The longer names say in one word whether the vendor has done its work before things go wrong.
_ALIASES: dict[str, tuple[str, bool]] = {
    "hang_after_accept": ("hang", True),
    "hang_before": ("hang", False),
    "reset_after_accept": ("reset", True),
    "reset_before": ("reset", False),
    "after_accept_status": ("status", True),
    "garbage_after_accept": ("garbage", True),
}
_DEFAULT_SECONDS = {"hang": 60.0, "stall": 60.0, "delay": 1.0, "webhook_late": 2.0}
_DEFAULT_STATUS = 504
_QUOTING_STATUS = {"plaid": 400}
_USUAL_QUOTING_STATUS = 422


class BadFault(ValueError):
    """The plan asks for something that does not exist."""


@dataclass(kw_only=True)
class Fault:
    """One entry of the plan; it is used up after `times` strikes."""

    id: int
    kind: str
    vendor: str | None = None
    method: str | None = None
    path: str = ""  # a regular expression, searched in the path behind the vendor's prefix
    stream: str | None = None
    event: str | None = None  # the ULID of the one event of a stream that it strikes
    count: int = 1  # of `dropped`: how many events in a row are lost
    accepted: bool = False
    times: int = 1
    after: int = 0  # this many matching requests or events pass first
    seconds: float = 0.0
    status: int = _DEFAULT_STATUS
    variant: str = ""  # of `garbage`: "json" (cut short) or "html"; of `status`: Plaid's code
    strikes: int = field(default=0)

    @property
    def point(self) -> str:
        """Say where it strikes."""
        if self.kind in HTTP_KINDS:
            return "http"
        return "stream" if self.kind in STREAM_KINDS else "behaviour"

    def matches(self, *, vendor: str, method: str = "", path: str = "", stream: str = "") -> bool:
        """Say whether it concerns this request, event or act."""
        return (
            self.vendor in {None, vendor}
            and (self.method is None or self.method.upper() == method.upper())
            and (self.stream is None or self.stream == stream)
            and (not self.path or re.search(self.path, path) is not None)
        )


class FaultPlan:
    """The faults still to come, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        # Apart from the others, so that a thousand of these cost an event no time.
        self._of_event: dict[str, list[Fault]] = {}
        self._ids = itertools.count(1)
        self.listeners: list[Callable[[], None]] = []

    def add(self, **wanted: Any) -> Fault:
        """
        Put a fault at the end of the plan.

        :raises BadFault: the kind, a field or the path's pattern is not known.
        """
        kind = str(wanted.pop("kind", ""))
        if kind in _ALIASES:
            kind, wanted["accepted"] = _ALIASES[kind]
        if kind not in HTTP_KINDS | STREAM_KINDS | BEHAVIOUR_KINDS:
            raise BadFault(f"unknown kind {kind!r}")
        wanted.setdefault("seconds", _DEFAULT_SECONDS.get(kind, 0.0))
        quoting = _QUOTING_STATUS.get(wanted.get("vendor", ""), _USUAL_QUOTING_STATUS)
        wanted.setdefault("status", quoting if kind == "quote" else _DEFAULT_STATUS)
        try:
            re.compile(wanted.get("path", ""))
            fault = Fault(id=next(self._ids), kind=kind, **wanted)
        except (TypeError, re.error) as error:
            raise BadFault(str(error)) from error
        self._beside(fault).append(fault)
        for listener in self.listeners:
            listener()
        return fault

    def _beside(self, fault: Fault) -> list[Fault]:
        return self._faults if fault.event is None else self._of_event.setdefault(fault.event, [])

    def take(
        self,
        point: str,
        *,
        kinds: set[str] | None = None,
        passes_count: bool = True,
        event: str = "",
        **subject: str,
    ) -> Fault | None:
        """
        Use up one strike of the first fault that concerns the subject.

        `passes_count=False` is for a look that is no request or event itself: it does not count
        as one of those that a fault lets pass first. What waits for this very event comes first.
        """
        for fault in [*self._of_event.get(event, []), *self._faults]:
            if fault.point != point or (kinds is not None and fault.kind not in kinds):
                continue
            if not fault.matches(**subject):
                continue
            if fault.after > 0:
                fault.after -= passes_count
                continue
            fault.strikes += 1
            if fault.strikes >= fault.times:
                self._drop(fault)
            return fault
        return None

    def _drop(self, fault: Fault) -> None:
        beside = self._beside(fault)
        beside.remove(fault)
        if fault.event is not None and not beside:
            del self._of_event[fault.event]

    def pending(self) -> list[dict[str, Any]]:
        """List what is still to come."""
        of_events = (fault for faults in self._of_event.values() for fault in faults)
        return [asdict(fault) for fault in (*self._faults, *of_events)]

    def clear(self) -> None:
        """Let everything go right again."""
        self._faults.clear()
        self._of_event.clear()
