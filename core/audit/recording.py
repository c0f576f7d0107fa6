"""Writing down what is not the change of a watched row."""

import simplejson
from django.db import connection

from core.auth.principals import Principal
from core.tracing import current_request_id

# Without RETURNING: who may add an entry need not be able to read one.
_INSERT = """
    INSERT INTO core_auditentry
           (action, principal, request_id, subject_kind, subject_id, user_id, details)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def record(
    action: str,
    *,
    principal: Principal | str,
    subject_kind: str = "",
    subject_id: object = "",
    user_id: str | None = None,
    **details: object,
) -> None:
    """
    Add one entry in the caller's transaction; it stands or falls with what it tells of.

    :param principal: who did it; a text names what has no principal, such as a command.
    :param user_id: the customer whose data it is about; by default the principal's.
    :param details: ids, states and names of things, never personal data.
    """
    if isinstance(principal, Principal):
        who, customer = principal.name, principal.user_id
    else:
        who, customer = principal, None
    values = [
        action,
        who,
        current_request_id() or "",
        subject_kind,
        str(subject_id),
        (customer if user_id is None else user_id) or "",
        simplejson.dumps(details, default=str),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
