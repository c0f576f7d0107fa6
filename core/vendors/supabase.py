"""Supabase's REST API over the project's tables."""

from django.conf import settings

from core.vendors.transport import Transport, Vendor, transport_for


def rest() -> Transport:
    """Return the transport to the tables, with the key that row policies do not bind."""
    key = settings.SUPABASE_SERVICE_KEY
    headers = (("apikey", key), ("Authorization", f"Bearer {key}"))
    return transport_for(Vendor("supabase", f"{settings.SUPABASE_URL}/rest/v1", headers=headers))
