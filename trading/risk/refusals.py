"""The errors that a verdict turns into."""

from core.errors import CleraError, RuleBroken


class RiskRefused(RuleBroken):
    """A rule says no. The refused order is kept."""

    code = "risk_refused"

    def __init__(self, *, rule: str, field: str, detail: str, order_id: str | None = None) -> None:
        extra = {"rule": rule} | ({"order_id": order_id} if order_id else {})
        super().__init__(detail, field_errors={field: [detail]}, extra=extra)


class PriceStale(CleraError):
    code = "price_stale"
    status = 409
    detail = "There is no fresh price for this symbol right now; try again in a moment."
