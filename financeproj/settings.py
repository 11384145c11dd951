"""All settings, from environment variables and `.env`; README.md lists the variables."""

import os
import secrets
import sys
import tomllib
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import litecharts
from csp.constants import NONE, SELF

from financeproj import rest_settings, schedule
from financeproj.core.ops.logging import logging_config
from financeproj.environment import (
    CONFIGURATION_PROBLEMS,
    OTHERS,
    ROOT,
    boolean,
    close_to_others,
    currency_code,
    database,
    host_names,
    http_url,
    number,
    one_of,
    origins,
    read,
    redis_url,
    throttle_rate,
    time_zone,
)

BASE_DIR = ROOT
PROGRAM_VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
VAR_DIR = BASE_DIR / "var"
# Whatever this process writes is for its user alone: data, uploads, exports, backups.
os.umask(OTHERS)
VAR_DIR.mkdir(exist_ok=True)
close_to_others(VAR_DIR)

environ.Env.read_env(BASE_DIR / ".env")

# --- Core -----------------------------------------------------------------------------------------

TESTING = "pytest" in sys.modules
DEBUG = read("DEBUG", False, boolean, "true or false")
HOST = os.environ.get("HOST", "").strip() or "127.0.0.1"


def development_key() -> str:
    """Create a key once and keep it under var/, so that sign-ins survive a restart."""
    path = VAR_DIR / "secret_key"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


SECRET_KEY = os.environ.get("SECRET_KEY", "").strip()
if not SECRET_KEY:
    if DEBUG or TESTING:
        SECRET_KEY = development_key()
    else:
        CONFIGURATION_PROBLEMS.append(
            "SECRET_KEY must be set: a random text of 50 characters or more."
        )
        # The checks need a key to run and report this; wsgi.py refuses to serve.
        SECRET_KEY = secrets.token_urlsafe(50)

LOCAL_HOSTS = ["localhost", "127.0.0.1"]
THIS_MACHINE = {*LOCAL_HOSTS, "[::1]", "::1"}
ALLOWED_HOSTS = read(
    "ALLOWED_HOSTS", LOCAL_HOSTS, host_names, "host names without scheme or port, comma-separated"
)
is_public = not set(ALLOWED_HOSTS) <= THIS_MACHINE or HOST not in THIS_MACHINE
if DEBUG and is_public:
    CONFIGURATION_PROBLEMS.append(
        "DEBUG must be false where others can reach the server: its error pages show settings and "
        "data. Or set ALLOWED_HOSTS and HOST to this machine."
    )
CSRF_TRUSTED_ORIGINS: list[str] = read(
    "CSRF_TRUSTED_ORIGINS", [], origins, "origins, e.g. https://example.org"
)
CORS_ALLOWED_ORIGINS: list[str] = read(
    "CORS_ALLOWED_ORIGINS", [], origins, "origins, e.g. https://example.org"
)
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = ["Link", "Retry-After", "Source-Status", "ETag", "X-Request-ID"]

DEFAULT_BASE_CURRENCY = read(
    "DEFAULT_BASE_CURRENCY", "NOK", currency_code, "a currency code, e.g. NOK"
)
TIME_ZONE = read("TIME_ZONE", "UTC", time_zone, "a time zone, e.g. Europe/Oslo")
USE_TZ = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("nb", "Norsk bokmål")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True

ROOT_URLCONF = "financeproj.urls"
WSGI_APPLICATION = "financeproj.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
# Served at the root of its host. Unset, Django would take it from headers of the server.
FORCE_SCRIPT_NAME = ""

# Backups of an earlier release bring back the tables of these, and of no other app.
OWN_APPS = [
    "financeproj.core",
    "financeproj.history",
    "financeproj.users",
    "marketdata",
    "portfolios",
    "pensions",
    "integrations",
]
INSTALLED_APPS = [
    *OWN_APPS,
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "csp",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
]

MIDDLEWARE = [
    "financeproj.core.ops.logging.RequestLogMiddleware",
    "financeproj.core.ops.headers.privacy_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "financeproj.users.middleware.SessionUserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "financeproj.users.middleware.remember_browser",
    "financeproj.users.middleware.throttle_sign_in_forms",
    "axes.middleware.AxesMiddleware",
    "financeproj.core.ops.uploads.bounded_bodies",
    "financeproj.history.middleware.history_context",
    "marketdata.middleware.third_parties",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "financeproj.pages.preferences",
            ]
        },
    }
]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS: list[Any] = [
    BASE_DIR / "static",
    # The package's one script, lightweight-charts.js.
    ("vendor/litecharts", Path(litecharts.__file__).parent / "js"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# Without collectstatic (make run, tests) whitenoise serves from the apps' folders.
WHITENOISE_USE_FINDERS = DEBUG or not STATIC_ROOT.exists()
if WHITENOISE_USE_FINDERS:
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)

# --- Database -------------------------------------------------------------------------------------

SQLITE_OPTIONS = {
    # IMMEDIATE takes the write lock when a transaction begins, so that no other process changes
    # what it has read.
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000",
}

DEFAULT_DATABASE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": "var/db.sqlite3",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": read(
        "DATABASE_URL",
        DEFAULT_DATABASE,
        database,
        "sqlite:///path, where a file can be written, or postgres://user:password@host:port/name",
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["NAME"] = str(BASE_DIR / DATABASES["default"]["NAME"])
    DATABASES["default"].update(
        ENGINE="financeproj.core.db.sqlite3", CONN_MAX_AGE=None, OPTIONS=SQLITE_OPTIONS
    )
    # A file, not memory: the threads of the tests must block each other like real writers.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    # A thread keeps its connection; one that a restart of PostgreSQL closed is replaced before the
    # next task. The web process uses a pool instead (wsgi.py).
    options_of_url = DATABASES["default"].get("OPTIONS", {})  # e.g. ?sslmode=require
    options = {"connect_timeout": 5} | options_of_url
    DATABASES["default"].update(
        ENGINE="financeproj.core.db.postgresql",
        CONN_HEALTH_CHECKS=True,
        CONN_MAX_AGE=60,
        OPTIONS=options,
    )

# --- Cache and Celery: Redis, or files under var/ that all processes share ------------------------

REDIS_URL = read("REDIS_URL", "", redis_url, "a URL, e.g. redis://127.0.0.1:6379/0")
DATABASE_ROUTERS: list[str] = []
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits until the broker is back
CELERY_TASK_PUBLISH_RETRY = False  # a request does not wait for the broker: beat resends
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_TIME_LIMIT = 600
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

if REDIS_URL:
    from financeproj.core.shared.redis_outage import ANSWER_SECONDS, one_more_attempt

    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "financeproj",
            "VERSION": 2,  # 1 were pickles
            # IGNORE_EXCEPTIONS: requests are answered without the cache if it is down.
            "OPTIONS": {
                "SERIALIZER": "financeproj.core.shared.json_values.JsonSerializer",
                "REDIS_CLIENT_CLASS": "financeproj.core.shared.redis_outage.GuardedRedis",
                "SOCKET_CONNECT_TIMEOUT": ANSWER_SECONDS,
                "SOCKET_TIMEOUT": ANSWER_SECONDS,
                "CONNECTION_POOL_KWARGS": {"retry": one_more_attempt()},
                "IGNORE_EXCEPTIONS": True,
            },
        }
    }
    CELERY_BROKER_URL = REDIS_URL
    CELERY_RESULT_BACKEND = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "global_keyprefix": "financeproj:celery:",
        "visibility_timeout": 3600,
    }
else:
    from financeproj.core.shared.embedded_cache import TABLE

    DATABASES["cache"] = {
        "ENGINE": "financeproj.core.db.sqlite3",
        "NAME": str(VAR_DIR / "cache.sqlite3"),
        "CONN_MAX_AGE": None,
        "OPTIONS": SQLITE_OPTIONS
        | {
            "timeout": 1,
            # No fsync: a crash of the machine may lose cached values.
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {TABLE}",
        },
        # Each connection makes its only table: there is nothing to migrate.
        "TEST": {"NAME": str(VAR_DIR / "test-cache.sqlite3"), "MIGRATE": False},
    }
    DATABASE_ROUTERS = ["financeproj.core.shared.embedded_cache.EmbeddedCacheRouter"]
    CACHES = {
        "default": {
            "BACKEND": "financeproj.core.shared.embedded_cache.EmbeddedCache",
            "OPTIONS": {"MAX_ENTRIES": 50_000},
        }
    }
    BROKER_DIR = VAR_DIR / "celery"
    for folder in ("queue", "processed", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "processed_folder": str(BROKER_DIR / "processed"),
        "control_folder": str(BROKER_DIR / "control"),
    }

CELERY_TASK_DEFAULT_QUEUE = schedule.DEFAULT_QUEUE
CELERY_TASK_QUEUES = schedule.QUEUES
CELERY_TASK_ROUTES = schedule.ROUTES
CELERY_BEAT_SCHEDULE = schedule.SCHEDULE

# --- Market data and YNAB -------------------------------------------------------------------------

MARKET_DATA_SOURCES = [  # the first that supports a ticker is used
    "integrations.simulated.SimulatedSource",
    "integrations.yahoo.YahooSource",
]
EXCHANGE_RATE_SOURCES = ["integrations.yahoo.YahooSource", "integrations.ecb.EcbSource"]
MARKET_DATA_CACHE_SECONDS = number("MARKET_DATA_CACHE_SECONDS", 900, 1, 30 * 86_400)
MARKET_DATA_TIMEOUT_SECONDS = number("MARKET_DATA_TIMEOUT_SECONDS", 10, 1, 300)
YNAB_API_KEY = os.environ.get("YNAB_API_KEY", "").strip()
YNAB_BASE_URL = read("YNAB_BASE_URL", "https://api.ynab.com/v1", http_url, "an http or https URL")
# Called before a pension account is linked.
PENSION_LINK_CHECK = "integrations.ynab.services.check_link"
HISTORY_DAYS = number("HISTORY_DAYS", 730, 1, 36_500)
BACKUP_DIR = os.environ.get("BACKUP_DIR", "").strip()
if BACKUP_DIR:
    BACKUP_DIR = str(BASE_DIR / BACKUP_DIR)
    CELERY_BEAT_SCHEDULE = {**schedule.SCHEDULE, "back up": schedule.NIGHTLY_BACKUP}

# --- Sign-in --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/dashboard"
LOGOUT_REDIRECT_URL = "/login"

TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0, 0, 10)
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "financeproj.core.shared.proxies.counted_address"
AXES_HANDLER = "financeproj.users.lockout.LockoutHandler"
AXES_LOCKOUT_CALLABLE = "financeproj.users.lockout.lockout_response"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_VERBOSE = False

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=number("ACCESS_TOKEN_MINUTES", 15, 1, 30 * 1440)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=number("REFRESH_TOKEN_DAYS", 14, 1, 3650)),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
}

# --- Web server, read by gunicorn.conf.py ---------------------------------------------------------

PORT = number("PORT", 8000, 1, 65535)
WEB_CONCURRENCY = number("WEB_CONCURRENCY", 2, 1, 100)
WEB_THREADS = 12  # per process; with PostgreSQL as many connections

# --- HTTPS and headers ----------------------------------------------------------------------------

SECURE_SSL = read(
    "SECURE_SSL",
    not (DEBUG or set(ALLOWED_HOSTS) <= THIS_MACHINE),
    boolean,
    "true or false",
)
SECURE_SSL_REDIRECT = SECURE_SSL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE_SSL else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL
SECURE_HSTS_PRELOAD = SECURE_SSL
SESSION_COOKIE_SECURE = SECURE_SSL
CSRF_COOKIE_SECURE = SECURE_SSL
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES > 0 else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
CSRF_FAILURE_VIEW = "financeproj.core.api.error_pages.csrf_failure"

# Size limits: JSON 2.5 MB; files 20 MB, counted while they are uploaded.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_HANDLERS = [
    "financeproj.core.ops.uploads.BoundedUploadHandler",
]
MAX_UPLOAD_BYTES = 20_000_000
MAX_MULTIPART_BYTES = 21_000_000  # files and the fields around them
FILE_UPLOAD_TEMP_DIR = VAR_DIR / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o700, exist_ok=True)

# --- REST -----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    **rest_settings.REST_FRAMEWORK,
    "DEFAULT_THROTTLE_RATES": {
        "user": read("THROTTLE_USER", "600/min", throttle_rate, "a rate, e.g. 600/min"),
        "anon": read("THROTTLE_ANON", "60/min", throttle_rate, "a rate such as 60/min"),
    },
    "NUM_PROXIES": TRUSTED_PROXIES,
}
DRF_STANDARDIZED_ERRORS = rest_settings.DRF_STANDARDIZED_ERRORS
SPECTACULAR_SETTINGS = rest_settings.SPECTACULAR_SETTINGS

# --- Logs: JSON lines on standard output ----------------------------------------------------------

LOG_FORMAT = read(
    "LOG_FORMAT", "console" if DEBUG else "json", one_of("json", "console"), "json or console"
)
LOG_LEVEL = read(
    "LOG_LEVEL",
    "INFO",
    one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "DEBUG, INFO, WARNING or ERROR",
)
# What a command prints, such as JSON, must not be mixed with log lines.
LOG_STREAM = "stderr" if Path(sys.argv[0]).name == "manage.py" else "stdout"
LOGGING = logging_config(log_format=LOG_FORMAT, level=LOG_LEVEL, stream=LOG_STREAM)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = 10  # debug: one line per request is enough
