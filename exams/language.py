"""Which of our languages a client gets: Indonesian, unless it prefers English. One rule for pages, API and saves."""

from functools import lru_cache

from django.conf import settings
from django.utils.translation.trans_real import parse_accept_lang_header


@lru_cache(maxsize=256)
def language_of(accept_language: str) -> str:
    """The first of our languages in an `Accept-Language` header, else the default."""
    ours = {code for code, _name in settings.LANGUAGES}
    for wanted, _quality in parse_accept_lang_header(accept_language.lower()):
        code = wanted.split("-")[0]
        if code in ours:
            return code
    return settings.LANGUAGE_CODE
