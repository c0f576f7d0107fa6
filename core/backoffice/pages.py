"""Where things have their pages in the admin, found by their kind, such as `trading.Order`."""

from django.apps import apps
from django.urls import NoReverseMatch, reverse


def page_of(kind: str, pk: object) -> str | None:
    """Find the page of one row, if its table is still there and has pages."""
    try:
        options = apps.get_model(kind)._meta  # noqa: SLF001 - Django's name for it
        return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])
    except (LookupError, ValueError, NoReverseMatch):
        return None


def word_for(kind: str) -> str:
    """Name a kind of row in words, such as `Document upload`."""
    try:
        return str(apps.get_model(kind)._meta.verbose_name).capitalize()  # noqa: SLF001
    except (LookupError, ValueError):
        return kind.rpartition(".")[2]
