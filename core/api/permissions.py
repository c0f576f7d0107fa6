"""Default deny: a route is open to customers, and to keys only with the scope it names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.auth.principals import Kind, Principal
from core.errors import Forbidden

if TYPE_CHECKING:  # its module imports this one, as the default permission
    from rest_framework.views import APIView

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def scopes(noun: str) -> dict[str, str]:
    """Build a view's `scopes`: `noun:read` for reading methods and `noun:write` for the rest."""
    writing = ("POST", "PUT", "PATCH", "DELETE")
    return {"GET": f"{noun}:read", **dict.fromkeys(writing, f"{noun}:write")}


class IsPrincipal(BasePermission):
    """
    Let in a customer, and a service whose key has the scope that the view names.

    A view says `scopes = permissions.scopes("trading")` or gives its own map of methods. A view
    that names none is for customers alone.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        principal = request.user
        if not isinstance(principal, Principal):
            return False
        needed = _needed(request, view)
        if needed is None:
            return principal.kind is Kind.CUSTOMER
        if not principal.can(needed):
            raise Forbidden(f"This credential lacks the scope {needed}.")
        return True


class HasScope(IsPrincipal):
    """Like `IsPrincipal`, for views that must never be open without a scope, to nobody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return _needed(request, view) is not None and super().has_permission(request, view)


def _needed(request: Request, view: "APIView") -> str | None:
    return needed_scope(request.method or "", view)


def needed_scope(method: str, view: "APIView") -> str | None:
    """Name the scope that a view asks of keys for this method, if it lets them in at all."""
    declared: Mapping[str, str] = getattr(view, "scopes", {})
    return declared.get("GET" if method in SAFE_METHODS else method)
