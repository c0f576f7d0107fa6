"""The tables of closing accounts."""

from closure.models.closures import ONE_LIVE, Closure, ClosureStep
from closure.models.requests import ClosingRequest

__all__ = ["ONE_LIVE", "ClosingRequest", "Closure", "ClosureStep"]
