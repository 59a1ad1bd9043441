"""
`DATABASE_URL` as libpq reads it: schools paste what their provider shows them.

Contract:
- Every option that libpq knows may stand in the URL (`sslmode`, `sslrootcert`, several hosts, a socket's directory as
  `host`) and is handed on as it is: nothing is weakened, nothing is added.
- A URL that cannot be right is an `ImproperlyConfigured` that says what to type. It never shows the URL or a part of it
  that could belong to the password: libpq's own messages do, so they are not passed on.
"""

import difflib
import re

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

EXAMPLE = "postgresql://user:password@host:5432/tahan_uji"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def parse(url: str) -> dict[str, str]:
    """The options of *url* by libpq's names (`host`, `port`, `user`, `password`, `dbname`, `sslmode`, ...)."""
    if not re.match(r"postgres(ql)?://", url):
        raise _wrong("it must begin with postgresql:// (other databases are not supported)")
    if re.search(r"%(?![0-9A-Fa-f]{2})", url):
        raise _wrong("a % must be followed by two hexadecimal digits; a % of the password itself is written %25")
    _refuse_unknown_options(url)
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        # `from None`: libpq's message quotes the URL with its password.
        raise _wrong(
            "it cannot be read; special characters of the password are written as %40 for @, %2F for /"
        ) from None
    _refuse_impossible_values(options)
    return options


def _refuse_unknown_options(url: str) -> None:
    known = [option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()]
    # Only what comes last can be the options: a password may hold a question mark.
    for name in re.findall(r"[?&]([^?&=@/]*)=[^?&@]*(?=&|$)", url):
        if name not in known and name != "ssl":  # libpq reads ssl=true as sslmode=require
            like = difflib.get_close_matches(name, known, n=1)
            raise _wrong(
                "it has an unknown option" + (f"; did you mean {like[0]}?" if like else " after the question mark")
            )


def _refuse_impossible_values(options: dict[str, str]) -> None:
    if not options.get("dbname") and not options.get("service"):
        raise _wrong("the name of the database is missing at the end of the path")
    if "@" in options.get("host", "") or "@" in options.get("dbname", ""):
        raise _wrong("there are two @; an @ of the password is written %40, a / is written %2F")
    for port in options.get("port", "").split(","):
        # An unescaped / in the password ends up here: do not show it.
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise _wrong(
                "the port must be a number from 1 to 65535 (or the password holds a / or : that must be %2F or %3A)"
            )
    if options.get("sslmode", "prefer") not in SSL_MODES:
        raise _wrong(f"sslmode must be one of {', '.join(SSL_MODES)}")


def _wrong(why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"DATABASE_URL is wrong: {why}. It looks like {EXAMPLE}?sslmode=require")
