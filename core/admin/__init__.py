"""The core's pages: the keys of services, the machinery, the record, and the staff itself."""

from core.admin import api_keys, audit, machinery, staff

__all__ = ["api_keys", "audit", "machinery", "staff"]
