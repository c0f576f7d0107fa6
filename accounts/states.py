"""The life of a brokerage account in the broker's words; words it does not list are kept too."""

from typing import Final

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
