"""How many accounts there are of each kind: who waits for whom, and which status they have."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Min
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts import states
from accounts.admin import waits
from accounts.models import BrokerageAccount
from core.backoffice import columns
from core.backoffice.admin import Turn
from core.intents.states import IntentState

TURN_COLOURS: Final = {waits.US: "danger", waits.CUSTOMER: "warning", waits.BROKER: "info"}
_LIST: Final = "admin:accounts_brokerageaccount_changelist"


class Standing:
    """How many accounts wait for whom, and how many have which status; asked in one query."""

    def __init__(self, *, at: datetime) -> None:
        found = (
            waits.with_waits(BrokerageAccount.objects.all())
            .order_by()
            .values("wait", "state", "vendor_status")
            .annotate(count=Count("pk"), oldest=Min("waits_since"))
        )
        self._at = at
        self._counts: Counter[str] = Counter()
        self._oldest: dict[str, datetime] = {}
        statuses: Counter[tuple[str, str]] = Counter()
        for row in found:
            self._add(waits.whose_turn(row["wait"]), row["count"], row["oldest"])
            word = row["vendor_status"] if row["state"] == IntentState.ACCEPTED else ""
            statuses[row["state"], word] += row["count"]
        self.statuses = [
            status_label(state, word, count=count)
            for (state, word), count in statuses.most_common()
        ]

    def _add(self, whom: str, count: int, oldest: datetime | None) -> None:
        self._counts[whom] += count
        if oldest is not None:
            self._oldest[whom] = min(oldest, self._oldest.get(whom, oldest))

    def turns_of(self, *whose: str) -> list[Turn]:
        """Say how many accounts wait for each of them, and which has waited longest."""
        return [
            Turn(
                whom=waits.WHOSE_TURN[whom],
                count=self._counts[whom],
                since=self._oldest.get(whom),
                url=f"{reverse(_LIST)}?turn={whom}",
            )
            for whom in whose
        ]

    @property
    def cards(self) -> list[dict[str, Any]]:
        """Lay out the turns as cards."""
        return [
            {
                "title": turn.whom,
                "count": turn.count,
                "url": turn.url,
                "longest": columns.span(self._at - turn.since) if turn.since else "",
            }
            for turn in self.turns_of(*waits.WHOSE_TURN)
        ]


def status_label(state: str, vendor_status: str, *, count: int | None = None) -> SafeString:
    """
    Show how far an account is: the broker's word once it has it, until then ours.

    With a count, the label leads to as many accounts.
    """
    is_theirs = state == IntentState.ACCEPTED and vendor_status != ""
    word = vendor_status if is_theirs else state
    is_known = not is_theirs or vendor_status in states.KNOWN
    colour = columns.COLOURS.get(word, "") if is_known else "danger"
    if count is None:
        return columns.label(word, colour=colour)
    query = {"state__exact": state} | ({"vendor_status": vendor_status} if is_theirs else {})
    return columns.label(f"{count} {word}", href=f"?{urlencode(query)}", colour=colour)
