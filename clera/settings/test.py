"""Tests: short timeouts and one connection per thread, else like local."""

from clera.settings.local import *

ENVIRONMENT = "test"
DATABASES["default"]["OPTIONS"].pop("pool")
DATABASES["default"]["OPTIONS"].pop("options", None)  # conftest takes the role after migrating
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
VENDOR_CONNECT_SECONDS = 1
VENDOR_TOTAL_SECONDS = env.float("VENDOR_TOTAL_SECONDS", 0.5)
INTENT_LOOK_SECONDS = 10
RATE_LIMITS = dict.fromkeys(RATE_LIMITS, "1000000/minute")  # tests of limits set their own
RATE_LIMIT_TIMEOUT_MS = 10_000  # a busy machine is no Redis that is away
LOG_LEVEL = "WARNING"
SUPABASE_WRITE_BACK = False
PLAID_WEBHOOK_URL = ""  # tests that want webhooks name where they listen
