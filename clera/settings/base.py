"""Every setting, read from the environment in this one place; `.env.example` explains each."""

import os
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from clera.settings import api_docs, backoffice, rates, schedules


class Environment(environ.Env):  # type: ignore[misc]  # the package has no types
    """The environment, in which an empty variable is one that is not set."""

    def time_of_day(self, var: str, default: str) -> time:
        """Read a time of day such as 19:30."""
        text = self.str(var, default)
        try:
            return time.fromisoformat(text)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}={text} is no time of day like 19:30.") from error

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        if os.environ.get(var) == "":
            del os.environ[var]
        return super().get_value(var, *args, **kwargs)


BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = Environment()
environ.Env.read_env(env.str("CLERA_ENV_FILE", str(BASE_DIR / ".env")))
LOCAL_DIR = Path(env.str("CLERA_LOCAL_DIR", str(BASE_DIR / ".local")))
environ.Env.read_env(LOCAL_DIR / "run.env")  # where `make run` put its servers

ENVIRONMENT = env.str("CLERA_ENVIRONMENT", "local")
VERSION = "0.1.0"
DEBUG = False
LOCAL_TOKENS = False  # only a local run hands out its demo customer's token
SECRET_KEY = env.str("SECRET_KEY", "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
ALLOWED_ORIGINS = env.list("ALLOWED_ORIGINS", default=[])
# Their pages show a token by their own script. Cookies are never let along, and a service's key has
# no place in a browser.
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_HEADERS = (
    "authorization", "content-type", "idempotency-key", "last-event-id", "x-request-id"
)  # fmt: skip
CORS_EXPOSE_HEADERS = ("idempotent-replayed", "ratelimit-policy", "retry-after", "x-request-id")
CORS_PREFLIGHT_MAX_AGE = 600
BACKEND_PUBLIC_URL = env.str("BACKEND_PUBLIC_URL", "")

# --- Apps -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "unfold.apps.BasicAppConfig",
    "core.backoffice.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "corsheaders",
    "core",
    "accounts",
    "market",
    "ledger",
    "funding",
    "trading",
    "closure",
    "portfolio",
    "agents",
    "chat",
    "console",
    "clera",
]
MIDDLEWARE = [
    "core.api.middleware.RequestContext",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.api.address_limits.LimitAddresses",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "core.auth.second_factor.SecondFactorGate",
    "core.auth.staff.StaffSeesEverything",
]
ROOT_URLCONF = "clera.urls"
ASGI_APPLICATION = "clera.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Pages of ours and of others load the JavaScript client from here; see clients/README.md.
STATICFILES_DIRS = [("clients", BASE_DIR / "clients" / "javascript")]
WHITENOISE_USE_FINDERS = True
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Database: the owner migrates, everyone else takes a role that row security binds ---------
DATABASE_ROLE = env.str("DATABASE_ROLE", "clera_app")
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", 10)
DATABASE_POOL_TIMEOUT_SECONDS = env.int("DATABASE_POOL_TIMEOUT_SECONDS", 5)
DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL", "postgresql://clera_owner@127.0.0.1:54329/clera"),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "application_name": "clera",
            **({"options": f"-c role={DATABASE_ROLE}"} if DATABASE_ROLE != "owner" else {}),
            "pool": {
                "min_size": 0,
                "max_size": DATABASE_POOL_SIZE,
                "timeout": DATABASE_POOL_TIMEOUT_SECONDS,
            },
        },
    }
}

# --- Redis: broker, price frames, notices. Never the only home of anything that matters -------
REDIS_URL = env.str(
    "REDIS_URL",
    f"redis://{env.str('REDIS_HOST', '127.0.0.1')}:{env.int('REDIS_PORT', 63799)}/0",
)
CHANNEL_LAYERS = {
    "default": {
        # The core layer drops at capacity and, under redis-py 8, cuts idle sockets (ADR 7).
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 15}], "prefix": "clera"},
    }
}

# --- Celery: nudges only; PostgreSQL holds the intents ----------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "America/New_York"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # Without these, a Redis that hangs holds every request that queues a task, for ever.
    "socket_timeout": 3,
    "socket_connect_timeout": 2,
}
CELERY_TASK_ROUTES = schedules.ROUTES
CELERY_BEAT_SCHEDULE = schedules.BEAT

# --- API --------------------------------------------------------------------------------------
API_MAX_BODY_BYTES = env.int("API_MAX_BODY_BYTES", 256 * 1024)
# A document with 10 MB of base64, which is what the broker takes, and the JSON around it.
API_MAX_UPLOAD_BYTES = env.int("API_MAX_UPLOAD_BYTES", 11 * 1024 * 1024)
API_UPLOAD_PATHS = [r"/create-alpaca-account", r"/api/account/[^/]{1,64}/documents/upload"]
DATA_UPLOAD_MAX_MEMORY_SIZE = API_MAX_BODY_BYTES
# How many proxies of ours stand in front; nothing means that nobody has said it yet.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=None)
RATE_LIMITS = rates.with_changes(env.dict("RATE_LIMITS", default={}))
# A Redis that takes longer to count than this is away.
RATE_LIMIT_TIMEOUT_MS = env.int("RATE_LIMIT_TIMEOUT_MS", 250)
RATE_LIMIT_EXEMPT_PATHS = rates.EXEMPT_PATHS
METRICS_TOKEN = env.str("METRICS_TOKEN", "")  # what monitoring says to read /metrics
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "core.api.authentication.BearerToken",
        "core.api.authentication.ApiKeyHeader",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["core.api.permissions.IsPrincipal"],
    "DEFAULT_THROTTLE_CLASSES": ["core.api.throttling.PerPrincipal"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.renderer.ExactJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.Schema",
    "EXCEPTION_HANDLER": "core.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clera",
    "DESCRIPTION": api_docs.description(RATE_LIMITS),
    "TAGS": api_docs.TAGS,
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.api.schema.add_problems",
    ],
}

# --- Secrets at rest: "<key id>:<base64 of 32 bytes>", newest first ---------------------------
FIELD_KEYS = env.list("FIELD_KEYS", default=[])
BLIND_INDEX_KEY = env.str("BLIND_INDEX_KEY", "")

# --- Vendors: swapped by URL, never by `if` ---------------------------------------------------
SANDBOX_URL = env.str("SANDBOX_URL", "http://127.0.0.1:8900")
_SANDBOX_WS = "ws://" + urlsplit(SANDBOX_URL).netloc
VENDOR_CONNECT_SECONDS = env.int("VENDOR_CONNECT_SECONDS", 3)
VENDOR_TOTAL_SECONDS = env.int("VENDOR_TOTAL_SECONDS", 10)
VENDOR_STREAM_SILENCE_SECONDS = env.int("VENDOR_STREAM_SILENCE_SECONDS", 30)
ALPACA_BROKER_URL = env.str("ALPACA_BROKER_URL", f"{SANDBOX_URL}/alpaca/broker")
ALPACA_DATA_URL = env.str("ALPACA_DATA_URL", f"{SANDBOX_URL}/alpaca/data")
ALPACA_STREAM_URL = env.str("ALPACA_STREAM_URL", f"{_SANDBOX_WS}/alpaca/stream/v2/iex")
_COIN_STREAM = env.str("ALPACA_CRYPTO_STREAM_URL", f"{_SANDBOX_WS}/alpaca/stream/v1beta3/crypto/us")
# An empty one switches coins off; a variable cannot say so by being empty.
ALPACA_CRYPTO_STREAM_URL = "" if _COIN_STREAM == "off" else _COIN_STREAM
ALPACA_BROKER_KEY = env.str("ALPACA_BROKER_KEY", "CKSANDBOX")
ALPACA_BROKER_SECRET = env.str("ALPACA_BROKER_SECRET", "sandbox-secret")
PLAID_ENV = env.str("PLAID_ENV", "sandbox")
PLAID_URL = env.str("PLAID_URL", f"{SANDBOX_URL}/plaid")
PLAID_CLIENT_ID = env.str("PLAID_CLIENT_ID", "sandbox-client")
PLAID_SECRET = env.str("PLAID_SECRET", "sandbox-secret")
PLAID_REDIRECT_URIS = env.list("PLAID_REDIRECT_URIS", default=["https://app.example.com/callback"])
PLAID_WEBHOOK_URL = env.str(
    "PLAID_WEBHOOK_URL",
    f"{BACKEND_PUBLIC_URL.rstrip('/')}/webhook/plaid" if BACKEND_PUBLIC_URL else "",
)
FMP_URL = env.str("FMP_URL", f"{SANDBOX_URL}/fmp")
FMP_API_KEY = env.str("FMP_API_KEY", "sandbox-fmp")
GROQ_URL = env.str("GROQ_URL", f"{SANDBOX_URL}/groq")
GROQ_API_KEY = env.str("GROQ_API_KEY", "gsk_sandbox")
GROQ_MODEL = env.str("GROQ_MODEL", "llama-3.3-70b-versatile")
MODEL_TIMEOUT_SECONDS = env.int("MODEL_TIMEOUT_SECONDS", 30)
SUPABASE_URL = env.str("SUPABASE_URL", f"{SANDBOX_URL}/supabase")
SUPABASE_AUDIENCE = env.str("SUPABASE_AUDIENCE", "authenticated")
SUPABASE_ALLOW_HS256 = env.bool("SUPABASE_ALLOW_HS256", False)
SUPABASE_JWT_SECRET = env.str("SUPABASE_JWT_SECRET", "")
SUPABASE_WRITE_BACK = env.bool("SUPABASE_WRITE_BACK", False)
SUPABASE_SERVICE_KEY = env.str("SUPABASE_SERVICE_KEY", "sandbox-service-role")

# --- Money ------------------------------------------------------------------------------------
INTENT_LEASE_SECONDS = env.int("INTENT_LEASE_SECONDS", 30)
INTENT_LOOK_SECONDS = env.int("INTENT_LOOK_SECONDS", 10)
SEALED_PAYLOAD_SECONDS = env.int("SEALED_PAYLOAD_SECONDS", 15 * 60)
DUPLICATE_GUARD_SECONDS = env.int("DUPLICATE_GUARD_SECONDS", 60)
ORDER_MAX_NOTIONAL = Decimal(env.str("ORDER_MAX_NOTIONAL", "100000"))
ORDER_QUOTE_SECONDS = env.int("ORDER_QUOTE_SECONDS", 5)
ORDER_PRICE_COLLAR = Decimal(env.str("ORDER_PRICE_COLLAR", "0.10"))
ORDER_MAX_QUANTITY = Decimal(env.str("ORDER_MAX_QUANTITY", "1000000"))
ORDER_DAILY_NOTIONAL = Decimal(env.str("ORDER_DAILY_NOTIONAL", "1000000"))
ORDER_DAILY_COUNT = env.int("ORDER_DAILY_COUNT", 10_000)
ORDER_OPEN_COUNT = env.int("ORDER_OPEN_COUNT", 500)
ORDER_CONCENTRATION = Decimal(env.str("ORDER_CONCENTRATION", "1"))
ORDER_STEP_UP_NOTIONAL = Decimal(env.str("ORDER_STEP_UP_NOTIONAL", "25000"))
TRANSFER_LARGEST = Decimal(env.str("TRANSFER_LARGEST", "50000"))
TRANSFER_DAILY_AMOUNT = Decimal(env.str("TRANSFER_DAILY_AMOUNT", "50000"))
TRANSFER_DAILY_COUNT = env.int("TRANSFER_DAILY_COUNT", 10)
# In New York, on the broker's working days; what comes later is handed in on the next one.
ACH_CUTOFF = env.time_of_day("ACH_CUTOFF", "19:30")
ACH_BUSINESS_DAYS = env.int("ACH_BUSINESS_DAYS", 3)
# What is left of an account that is being closed and is less than this, people have to send.
CLOSURE_SMALLEST_WITHDRAWAL = Decimal(env.str("CLOSURE_SMALLEST_WITHDRAWAL", "0.01"))
LEDGER_COMPARE_SECONDS = env.int("LEDGER_COMPARE_SECONDS", 24 * 3600)
# A difference that is still there after so long is none of news on its way.
LEDGER_DRIFT_SECONDS = env.int("LEDGER_DRIFT_SECONDS", 60)
# An order that has waited longer for the opening, or whose price has moved further meanwhile, is
# suggested to the customer instead of sent.
QUEUE_STALE_DAYS = env.int("QUEUE_STALE_DAYS", 5)
QUEUE_GAP = Decimal(env.str("QUEUE_GAP", "0.05"))
# Positions that differ from our lots for so long wait for people.
POSITION_DRIFT_SECONDS = env.int("POSITION_DRIFT_SECONDS", 60)
PROPOSAL_SECONDS = env.int("PROPOSAL_SECONDS", 5 * 60)
PROPOSAL_BAND = Decimal(env.str("PROPOSAL_BAND", "0.01"))
PROPOSAL_LAPSED_SECONDS = env.int("PROPOSAL_LAPSED_SECONDS", 24 * 3600)
PROPOSALS_PENDING = env.int("PROPOSALS_PENDING", 30)
PROPOSALS_HOURLY = env.int("PROPOSALS_HOURLY", 60)

# --- Live values ------------------------------------------------------------------------------
FRAME_INTERVAL_MS = env.int("FRAME_INTERVAL_MS", 100)
FEED_STALE_SECONDS = env.int("FEED_STALE_SECONDS", 5)
# A price socket whose newest news is older than this is not live, however much it sends.
FEED_LAG_SECONDS = env.int("FEED_LAG_SECONDS", 10)
# What we ask the vendor's price socket for; a symbol counts as followed by the first of them.
MARKET_CHANNELS = env.list(
    "MARKET_CHANNELS", default=["trades", "quotes", "bars", "updatedBars", "lulds"]
)
SOCKET_SLOW_SECONDS = env.int("SOCKET_SLOW_SECONDS", 10)
SOCKETS_PER_PRINCIPAL = env.int("SOCKETS_PER_PRINCIPAL", 10)
# How often we ask whether the keys behind open sockets were revoked.
SOCKET_RECHECK_SECONDS = env.int("SOCKET_RECHECK_SECONDS", 10)
HEARTBEAT_INTERVAL = env.int("HEARTBEAT_INTERVAL", 30)
# One client network's open sockets, in one process.
SOCKETS_PER_ADDRESS = env.int("SOCKETS_PER_ADDRESS", 50)
# How many accounts one socket may look at.
ACCOUNTS_PER_SOCKET = env.int("ACCOUNTS_PER_SOCKET", 50)
# How long before its credential runs out a socket is told so.
SOCKET_EXPIRY_NOTICE_SECONDS = env.int("SOCKET_EXPIRY_NOTICE_SECONDS", 60)
# Over how many seconds the clients of a process that ends are spread when they come back.
SOCKET_DRAIN_SPREAD_SECONDS = env.int("SOCKET_DRAIN_SPREAD_SECONDS", 10)

# --- Chat -------------------------------------------------------------------------------------
CHAT_WAIT_SECONDS = env.int("CHAT_WAIT_SECONDS", 25)
CHAT_TURN_SECONDS = env.int("CHAT_TURN_SECONDS", 120)
# Prompts go to the model's vendor and nowhere else, whatever the environment says.
os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"

# --- Logs -------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", "info").upper()
LOG_JSON = env.bool("LOG_JSON", True)
LOGGING_CONFIG = None  # core.logs configures logging, from core.apps

# --- Admin: a password, then a code from an app -----------------------------------------------
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_AGE = 15 * 60
SESSION_SAVE_EVERY_REQUEST = True
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", True)
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "core.auth.lockout.name_of"
AXES_CLIENT_IP_CALLABLE = "core.auth.lockout.address_of"
AXES_LOCKOUT_CALLABLE = "core.backoffice.site.locked_out"
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "next"]
FORMAT_MODULE_PATH = ["clera.formats"]
UNFOLD = backoffice.UNFOLD
