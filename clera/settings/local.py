"""Local running: readable logs, keys that protect nothing, vendors from the sandbox."""

from clera.settings.base import *

DEBUG = env.bool("DEBUG", False)
LOCAL_TOKENS = True  # the page at / may hand out a demo customer's token
SECRET_KEY = SECRET_KEY or "local-only-not-a-secret-local-only-not-a-secret-local"
ALLOWED_HOSTS = ALLOWED_HOSTS or ["127.0.0.1", "localhost", "[::1]"]
FIELD_KEYS = FIELD_KEYS or ["local1:bG9jYWwtb25seS1ub3QtYS1zZWNyZXQtMzItYnl0ZXM="]
BLIND_INDEX_KEY = BLIND_INDEX_KEY or "local-only-not-a-secret"
TRUSTED_PROXIES = TRUSTED_PROXIES or 0
LOG_JSON = env.bool("LOG_JSON", False)
# The sandbox has the table; a real project is written to only when asked for.
SUPABASE_WRITE_BACK = env.bool("SUPABASE_WRITE_BACK", SUPABASE_URL.startswith(SANDBOX_URL))
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", False)
_OWN_PORT = env.int("PORT", 8000)
# The page at / is a frontend like any other.
PLAID_REDIRECT_URIS = [
    *PLAID_REDIRECT_URIS,
    f"http://127.0.0.1:{_OWN_PORT}/",
    f"http://localhost:{_OWN_PORT}/",
]
PLAID_WEBHOOK_URL = PLAID_WEBHOOK_URL or f"http://127.0.0.1:{_OWN_PORT}/webhook/plaid"
WHITENOISE_AUTOREFRESH = True  # nothing is collected, so there is no folder to scan at the start

# The documentation page signs the demo customer in by itself.
SPECTACULAR_SETTINGS["SWAGGER_UI_SETTINGS"] = """{
  deepLinking: true,
  persistAuthorization: true,
  onComplete: () => fetch("/local/token", {method: "POST"})
    .then((answer) => answer.json())
    .then((token) => ui.preauthorizeApiKey("bearerToken", token.access_token)),
}"""
