"""
Django's settings, read from the environment.

Every variable is listed in docs/reference/settings.md. There is no default that is only safe at home: outside
`DEBUG` the server refuses to start without `SECRET_KEY`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import database
from exams.conf import ExamsConf
from notifications.conf import NotificationsConf
from ratelimit.cache import cache_settings

env = environ.Env()


def _number(name: str, default: float, *, least: float = 0) -> float:
    """A number from the environment, whole where the default is; a sentence where it is none."""
    text = env.str(name, default=str(default))
    try:
        number = float(text) if isinstance(default, float) else int(text)
    except ValueError:
        number = least - 1
    if not number >= least:
        kind = "a number" if isinstance(default, float) else "a whole number"
        raise ImproperlyConfigured(f"{name} is {text!r}: give {kind} from {least} on, or leave it out for {default}.")
    return number


BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-development-" * 3 if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Make one with `python -c 'import secrets; print(secrets.token_urlsafe(50))'`, keep it "
        "secret and keep it the same: sessions, tickets and exam cards depend on it. (`make demo` makes its own.)"
    )

SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])

#: Whether students reach us over HTTPS. Only a school that serves plain HTTP inside its own walls sets this to false.
HTTPS = env.bool("HTTPS", default=not DEBUG)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: Addresses or networks of our own proxies; only they are believed about the client's address.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])
TRUSTED_PROXY_HEADER = env.str("TRUSTED_PROXY_HEADER", default="X-Forwarded-For")
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "config",  # for its commands; before staticfiles, whose runserver ours replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django_q",
    "ratelimit",
    "exams",
    "notifications",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.static_files.StaticFilesMiddleware",
    # Papers and pages come over bad Wi-Fi, and many schools have no proxy in front that would compress them.
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "exams.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"

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
            ],
        },
    },
]

DATABASES = {"default": database.configure()}
#: Of each web process, beside Django's pool; with one, reading a paper waits for the batch that is being stored.
SAVE_QUEUE_CONNECTIONS = database.profile().save_queue_connections
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: Redis is optional; without it every process counts for itself (see the check ratelimit.W001).
REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "ratelimit": cache_settings(REDIS_URL),
}
RATELIMIT_USE_CACHE = "ratelimit"
#: As in {"login": "10/60s"}; `ratelimit.policies` has the defaults.
try:
    RATE_LIMITS: dict[str, str] = env.json("RATE_LIMITS", default={})
except ValueError:
    raise ImproperlyConfigured("""RATE_LIMITS is no JSON: write it like '{"login": "10/60s"}'.""") from None
#: How many web processes share the work, for the check that per-process limits would be too generous.
WEB_WORKERS = int(_number("WEB_WORKERS", 1, least=1))

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 60 * 60  # a school day; an exam never logs anyone out in its middle
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = int(_number("SECURE_HSTS_SECONDS", 0))
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

LANGUAGE_CODE = "id"
LANGUAGES = [("id", _("Indonesian")), ("en", _("English"))]
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Jakarta")
USE_TZ = True


def _take_over(prefix: str, defaults: Any) -> None:
    """Every variable that begins with *prefix*; unknown ones too, which the app's checks name."""
    known = {f"{prefix}{field.name.upper()}": getattr(defaults, field.name) for field in fields(defaults)}
    for name, text in os.environ.items():
        if name.startswith(prefix):
            default = known.get(name, text)
            if isinstance(default, Mapping):
                globals()[name] = _json(name)
            else:
                globals()[name] = text if isinstance(default, str) else _number(name, default)


def _json(name: str) -> Any:
    try:
        return json.loads(os.environ[name])
    except ValueError:
        raise ImproperlyConfigured(f"{name} is no JSON: docs/reference/settings.md has an example.") from None


_take_over("EXAMS_", ExamsConf())
_take_over("NOTIFICATIONS_", NotificationsConf())

# Our rows are the truth, this queue is a doorbell: docs/explanation/delivery.md computes these numbers.
Q_CLUSTER = {
    "name": "tahan-uji",
    "orm": "default",
    "broker_class": "notifications.broker.Broker",
    "workers": int(_number("NOTIFICATIONS_WORKERS", NotificationsConf.workers, least=1)),
    "queue_limit": 4,
    "bulk": 1,
    "timeout": 15,  # a task begins nothing after 3 s, and a call to a gateway ends within 10 s
    "retry": 90,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,  # the worker's parent process keeps the time; one bad schedule stops all of django-q2's
    "poll": 0.2,
    "label": "Django Q",
    "log_level": "WARNING",
}

STATIC_URL = "/static/"
# Served from the apps' own folders: nothing to collect before the first start, nothing to forget after an update.
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# The gate: pages that run at once beside the saves, and how many more may wait. docs/explanation/gate.md.
PAGES_AT_ONCE = int(_number("PAGES_AT_ONCE", 4, least=1))
PAGES_WAITING_MAX = int(_number("PAGES_WAITING_MAX", 200, least=1))

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["exams.parsers.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["exams.authentication.StudentSession"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["ratelimit.throttling.GeneralThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "exams.api_errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Tahan Uji",
    "DESCRIPTION": "The exam backend: no answer that is shown as saved is ever lost.",
    "VERSION": "0.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "OAS_VERSION": "3.1.0",
    "ENUM_NAME_OVERRIDES": {
        "AttemptStatus": "exams.models.Attempt.Status",
        "ClosedStatus": "exams.serializers.CLOSED_STATUSES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "exams.openapi.add_autosave",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # Whoever scans for hosts would fill the log with tracebacks; Django answers them with 400 all the same.
    # django-q2 has two lines for each task, which are a doorbell's; what became of a message is in its row.
    "loggers": {"django.security.DisallowedHost": {"level": "CRITICAL"}, "django-q": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
