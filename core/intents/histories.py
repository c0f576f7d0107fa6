"""What became of everything that vendors were asked to do for one customer."""

from django.apps import apps
from django.db.models import QuerySet

from core.intents.models import Intent, IntentStep
from core.models import CustomerOwned


def steps_of(user_id: str) -> QuerySet[IntentStep]:
    """
    Find the steps of all of a customer's intents, whichever app they belong to.

    The apps need not know each other for this: every kind of intent is known to Django.
    """
    theirs = [
        model._default_manager.filter(user_id=user_id).order_by().values("pk")  # noqa: SLF001
        for model in apps.get_models()
        if issubclass(model, Intent) and issubclass(model, CustomerOwned)
    ]
    first, *others = theirs
    return IntentStep.objects.filter(intent_id__in=first.union(*others, all=True))
