"""The life of a brokerage account in the broker's words; words it does not list are kept too."""

from typing import Final

from django.db import models

ACTIVE: Final = "ACTIVE"
REJECTED: Final = "REJECTED"
SUBMISSION_FAILED: Final = "SUBMISSION_FAILED"
ACCOUNT_CLOSED: Final = "ACCOUNT_CLOSED"

KNOWN: Final = frozenset(
    {
        "ACCOUNT_UPDATED",
        "ACTION_REQUIRED",
        "AML_REVIEW",
        "APPROVAL_PENDING",
        "APPROVED",
        "DISABLED",
        "DISABLE_PENDING",
        "EDITED",
        "INACTIVE",
        "KYC_SUBMITTED",
        "LIMITED",
        "ONBOARDING",
        "PAPER_ONLY",
        "REAPPROVAL_PENDING",
        "RESUBMITTED",
        "SIGNED_UP",
        "SUBMITTED",
        ACCOUNT_CLOSED,
        ACTIVE,
        REJECTED,
        SUBMISSION_FAILED,
    }
)
# The customer may apply again after these.
OVER: Final = frozenset({ACCOUNT_CLOSED, REJECTED, SUBMISSION_FAILED})
# The broker is not about to change these by itself, so nobody needs to ask again and again.
RESTING: Final = OVER | {ACTIVE, "DISABLED", "INACTIVE", "PAPER_ONLY"}

# In these the broker may still want to see something from the customer.
WANTING: Final = frozenset(
    {
        "ACTION_REQUIRED",
        "AML_REVIEW",
        "APPROVAL_PENDING",
        "KYC_SUBMITTED",
        "LIMITED",
        "ONBOARDING",
        "REAPPROVAL_PENDING",
        "RESUBMITTED",
        "SUBMITTED",
        REJECTED,
        SUBMISSION_FAILED,
    }
)
# What a customer can do now, in words; where nothing stands, waiting is all.
NEXT_STEPS: Final = {
    "ACTION_REQUIRED": "Upload the document that `requirements` names.",
    "INACTIVE": "Finish the application: the broker has not been asked to open the account.",
    "EDITED": "Submit the application again.",
    REJECTED: "The broker has refused the application; ask support why.",
    SUBMISSION_FAILED: "The application did not get through; apply again.",
    "CANCELED": "The application could not be sent in time; apply again.",
    "DISABLED": "The account is disabled; ask support.",
    ACCOUNT_CLOSED: "The account is closed; apply again to open another.",
    ACTIVE: "Link a bank and deposit money.",
}
FROZEN_HINT: Final = "Orders and transfers are stopped for now; ask support."


class BuyingPowerDisplay(models.TextChoices):
    """Which figure a customer wants to see as buying power."""

    CASH_ONLY = "cash_only"
    CASH_AND_MARGIN = "cash_and_margin"


class RequestState(models.TextChoices):
    """Of a document that our staff has asked for."""

    OPEN = "OPEN"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"
