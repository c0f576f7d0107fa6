"""What the pretend Plaid keeps about link tokens, their sessions, items and its own keys."""

from dataclasses import dataclass, field
from datetime import datetime

LOGIN_REQUIRED = "ITEM_LOGIN_REQUIRED"
PERMISSION_REVOKED = "USER_PERMISSION_REVOKED"


@dataclass(kw_only=True)
class Session:
    """
    One visit of the hosted page.

    `step` is where the person is; `institution_id` and `kind` are what they have chosen so far.
    """

    id: str
    started_at: datetime
    step: str
    institution_id: str | None = None
    kind: str | None = None
    oauth_state: str | None = None
    finished_at: datetime | None = None
    is_success: bool = False
    item_id: str | None = None
    public_token: str | None = None

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


@dataclass(kw_only=True)
class LinkToken:
    """A link token; with `updates` it mends the login of that item instead of making one."""

    id: str
    created_at: datetime
    expires_at: datetime
    client_name: str
    person: str
    language: str
    country_codes: list[str]
    products: list[str]
    webhook: str | None = None
    redirect_uri: str | None = None
    updates: str | None = None
    # The page has an id of its own, so that the token itself is in no address.
    page: str | None = None
    page_expires_at: datetime | None = None
    completion_redirect_uri: str | None = None
    sessions: list[Session] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Say whether a visit has ended well; then there is nothing more to do."""
        return any(session.is_success for session in self.sessions)


@dataclass(kw_only=True)
class Item:
    """
    One login of a person at a bank.

    `kinds` are the accounts that the person shares. `fault` is why the bank does not let us in,
    if it does not. `open_public_tokens` are those not exchanged yet, with the time of each.
    """

    id: str
    institution_id: str
    person: str
    kinds: list[str]
    created_at: datetime
    webhook: str | None = None
    consent_expires_at: datetime | None = None
    fault: str | None = None
    is_removed: bool = False
    open_public_tokens: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_reachable(self) -> bool:
        """Say whether its tokens stand for anything."""
        return not self.is_removed and self.fault != PERMISSION_REVOKED


@dataclass(kw_only=True)
class SigningKey:
    """When a key began and ceased to be good, in seconds of real time as the wire has it."""

    number: int
    kid: str
    created_at: int
    expired_at: int | None = None
