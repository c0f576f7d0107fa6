"""The base of every error a client may see, and the three ways a vendor call can end badly."""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class CleraError(Exception):
    """
    Something the caller did or asked for that we can name.

    `code` is stable and lower_snake; `detail` is one sentence that says what to do next.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    detail: str = "The request cannot be carried out."

    def __init__(
        self,
        detail: str | None = None,
        *,
        field_errors: Mapping[str, Sequence[str]] | None = None,
        retry_after_seconds: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.detail = detail or type(self).detail
        self.field_errors = dict(field_errors or {})
        self.retry_after_seconds = retry_after_seconds
        self.extra = dict(extra or {})
        super().__init__(self.detail)


class Unauthenticated(CleraError):
    code = "unauthenticated"
    status = 401
    detail = "Send a valid bearer token or X-API-Key."


class Forbidden(CleraError):
    code = "forbidden"
    status = 403
    detail = "This credential may not do that."


class NotFound(CleraError):
    """It does not exist, or it belongs to somebody else: the answer is the same."""

    code = "not_found"
    status = 404
    detail = "There is no such thing."


class Invalid(CleraError):
    """A field breaks a rule that only the service can check."""

    code = "invalid"
    status = 400
    detail = "A field is not valid."


class RuleBroken(CleraError):
    code = "rule_broken"
    status = 422
    detail = "A business rule does not allow this."


class ServiceBusy(CleraError):
    code = "service_unavailable"
    status = 503
    detail = "A part of the service is not reachable; try again shortly."


class VendorError(CleraError):
    """The base of the three outcomes a call to a vendor can have besides success."""

    code = "vendor_error"
    status = 503

    def __init__(
        self,
        vendor: str,
        detail: str,
        *,
        vendor_code: str = "",
        http_status: int | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.vendor = vendor
        self.vendor_code = vendor_code
        self.http_status = http_status
        super().__init__(detail, retry_after_seconds=retry_after_seconds)


class VendorUnavailable(VendorError):
    """The call certainly had no effect."""

    code = "vendor_unavailable"
    status = 503


class VendorRejected(VendorError):
    """The vendor gave a clear no."""

    code = "vendor_rejected"
    status = 422


class VendorUnclear(VendorError):
    """The call may have had its effect; only reading the vendor can tell."""

    code = "vendor_unclear"
    status = 503
