"""Filters of the audit trail; each asks for the beginning of a name, which needs no list of all."""

from typing import Any, Final

from django.apps import apps
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.auth.principals import Kind
from core.backoffice.filters import ChosenFilter
from core.models import CustomerOwned

_DEEDS: Final[dict[str, tuple[str, Q]]] = {
    "looks": ("Personal data shown", Q(action="pii.revealed")),
    "staff": (
        "What staff did with accounts",
        Q(action__startswith="account.") | Q(action__startswith="document."),
    ),
    "delegation": ("Acted for a customer", Q(action="auth.acted_for")),
    "keys": ("API keys", Q(action__startswith="api_key.")),
    "members": ("Staff members", Q(action__startswith="staff.")),
    "trail": ("The trail itself", Q(action__startswith="audit.")),
    "rows": ("Changes of rows", Q(action__startswith="row.")),
}
_CREDENTIALS: Final = {
    Kind.STAFF: "Staff",
    Kind.CUSTOMER: "Customers",
    Kind.SERVICE: "API keys",
    Kind.SYSTEM: "Clera itself",
}


class DeedFilter(ChosenFilter):
    """Entries by what was done."""

    title = "what was done"
    parameter_name = "deed"
    conditions = _DEEDS


class CredentialFilter(ChosenFilter):
    """Entries by the kind of credential that did it."""

    title = "who did it"
    parameter_name = "who"
    conditions = {
        kind.value.lower(): (words, Q(principal__startswith=f"{kind.value.lower()}:"))
        for kind, words in _CREDENTIALS.items()
    }


class SubjectFilter(SimpleListFilter):
    """Entries by what they are about."""

    title = "what it is about"
    parameter_name = "about"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        theirs = {
            config.label: str(config.verbose_name)
            for config in apps.get_app_configs()
            if any(issubclass(model, CustomerOwned) for model in config.get_models())
        }
        return [*sorted(theirs.items()), ("core.ApiKey", "API keys"), ("auth.User", "Staff")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if wanted not in dict(self.lookup_choices):
            return queryset
        if "." in str(wanted):
            return queryset.filter(subject_kind=wanted)
        return queryset.filter(subject_kind__startswith=f"{wanted}.")
