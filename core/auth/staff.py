"""What the admin's staff may see of the customers' rows."""

from collections.abc import Callable
from http import HTTPStatus

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from core.auth import Principal, acting_as


class StaffSeesEverything:
    """
    Runs admin requests of signed-in staff in a transaction that row-level security lets pass.

    Outside the admin nothing changes: there, rows are seen only inside `acting_as`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not (request.path.startswith("/admin/") and user.is_active and user.is_staff):
            return self._get_response(request)
        with acting_as(Principal.staff(user.pk)):
            response = self._get_response(request)
            render = getattr(response, "render", None)
            response = render() if callable(render) else response
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                transaction.set_rollback(True)
            return response
