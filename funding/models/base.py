"""What all that funding asks of the broker can be found by."""

from typing import Generic, Self, TypeVar
from uuid import UUID

from django.db.models import Q

from core.intents.models import Intent, IntentQuerySet

_Row = TypeVar("_Row", bound=Intent)


class FundingQuerySet(IntentQuerySet[_Row], Generic[_Row]):
    def named(self, given: str | UUID, *, broker_column: str) -> Self:
        """Find by our id or by the broker's."""
        try:
            wanted = UUID(str(given))
        except ValueError:
            return self.none()
        return self.filter(Q(pk=wanted) | Q(**{broker_column: str(wanted)}))
