"""Supabase's table `user_onboarding`, which the original's frontend listens to."""

from accounts.gateways.directory import AccountLine
from core.vendors import supabase


class SupabaseDirectory:
    """See the port for what it promises."""

    def write(self, line: AccountLine) -> None:
        body = {
            "user_id": line.user_id,
            "alpaca_account_id": line.broker_account_id,
            "alpaca_account_number": line.account_number,
            "alpaca_account_status": line.status,
            "updated_at": line.at.isoformat(),
        }
        supabase.rest().write(
            "POST",
            "/user_onboarding",
            params={"on_conflict": "user_id"},
            headers={"Prefer": "resolution=merge-duplicates,return=representation"},
            json=[body],
        )
