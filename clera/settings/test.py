"""Tests: short timeouts and one connection per thread, else like local."""

from clera.settings.local import *

ENVIRONMENT = "test"
DATABASES["default"]["OPTIONS"].pop("pool")
DATABASES["default"]["OPTIONS"].pop("options", None)  # conftest takes the role after migrating
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
VENDOR_CONNECT_SECONDS = 1
VENDOR_TOTAL_SECONDS = env.float("VENDOR_TOTAL_SECONDS", 0.5)
INTENT_LOOK_SECONDS = 10
LOG_LEVEL = "WARNING"
