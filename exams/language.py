"""Which of our languages a client gets: Indonesian, unless it prefers English. One rule for pages, API and saves."""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

#: Java's name for Indonesian, as old Android browsers send it.
_OLD_NAMES = {"in": "id"}


def language_of(accept_language: str) -> str:
    """The first of our languages in an `Accept-Language` header, else the default."""
    return _preferred(accept_language) or settings.LANGUAGE_CODE


@lru_cache(maxsize=256)
def _preferred(accept_language: str) -> str | None:
    ours = {code for code, _name in settings.LANGUAGES}
    for wanted, _quality in parse_accept_lang_header(accept_language.lower()):
        code = wanted.split("-")[0]
        code = _OLD_NAMES.get(code, code)
        if code in ours:
            return code
    return None


class LanguageMiddleware(LocaleMiddleware):
    """
    What the switch on the pages has chosen (Django's language cookie), else `language_of`.

    Django's own would ask its own reading of `Accept-Language`, which does not know the old name of Indonesian.
    """

    def process_request(self, request: HttpRequest) -> None:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        is_ours = any(chosen == code for code, _name in settings.LANGUAGES)
        translation.activate(chosen if is_ours else language_of(request.headers.get("Accept-Language", "")))
        request.LANGUAGE_CODE = translation.get_language()
