"""
Phone numbers as gateways take them: digits with the country code, E.164 without the plus.

Contract:
- `normalise(text)` returns the digits of one valid mobile number, however it is written, or raises `BadReceiver` with a
  lasting `reason`, a sentence for the person who typed it and, where a typing error is plain, a `suggestion`.
- Two ways of writing one number give one result: it may stand in a dedupe key.
- A valid number need not be on WhatsApp; only the gateway knows.
- `mask(digits)` is the only form for logs and for lists of people who may not see numbers.

The cases are those of real school lists: 0812…, +62 812…, (+62) 0812-…, 0062 812…, full-width digits, invisible marks
from a copied web page, two numbers in one cell.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.exceptions import BadReceiver

#: reason -> what a person is told.
REASONS: dict[str, str | Promise] = {
    "empty": _("The phone number is missing."),
    "letters": _("A phone number has no letters. Write it like 081234567890 or +6281234567890."),
    "several": _("There is more than one number here. Give one number per receiver."),
    "not_a_number": _("This is not a phone number. Write it like 081234567890 or +6281234567890."),
    "extension": _("A number with an extension cannot get WhatsApp messages."),
    "wrong_length": _("The phone number has too few or too many digits."),
    "invalid": _("There is no such phone number. Check its first digits."),
    "zero_before_country": _("A number with a country code has no 0 before it. Did you mean the number without it?"),
    "landline": _("This is a landline. WhatsApp messages go to a mobile number."),
    "not_mobile": _("This is no mobile number."),
    "foreign": _("This is a number of another country."),
}

#: The longest thing that anyone means as one number; what is longer is not even looked at.
_TYPED_MAX = 64
_MOBILE = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}


def normalise(text: str, region: str = "ID", *, allow_foreign: bool = True, allow_landline: bool = False) -> str:
    """
    The digits of *text*: `0812-3456-789` -> `628123456789`.

    *region* (ISO 3166, two letters) is the country of numbers that are written without one. WhatsApp Business can sit
    on a landline: *allow_landline* lets those through. Raises `BadReceiver`. About 60 µs.
    """
    typed = _plain(text)
    number = _parsed(typed, region)
    if not phonenumbers.is_valid_number(number):
        raise _refusal_of_invalid(typed, number, region)
    if number.extension:
        raise _refusal("extension")
    if not allow_foreign and phonenumbers.region_code_for_number(number) != region:
        raise _refusal("foreign")
    kind = phonenumbers.number_type(number)
    if kind not in _MOBILE:
        is_landline = kind == phonenumbers.PhoneNumberType.FIXED_LINE
        if not (is_landline and allow_landline):
            raise _refusal("landline" if is_landline else "not_mobile")
    return _digits(number)


def is_normal(digits: str) -> bool:
    """Whether *digits* can be handed to a gateway as they are: what several of them make of a comma, a pipe or a 16th
    digit is another receiver."""
    return re.fullmatch(r"[1-9][0-9]{6,14}", digits) is not None


def mask(digits: str) -> str:
    """`628123456789` -> `62812****789`. Of short numbers less is shown; the stars do not tell how many were hidden."""
    if len(digits) >= 11:
        return f"{digits[:5]}****{digits[-3:]}"
    if len(digits) >= 7:
        return f"{digits[:2]}****{digits[-2:]}"
    return "****"


def _plain(text: str) -> str:
    """*text* without what is only for the eye; refuses what cannot be one number."""
    if len(text) > _TYPED_MAX:
        raise _refusal("not_a_number")
    text = unicodedata.normalize("NFKC", text)
    # Cf: the invisible marks that come along when a number is copied out of a web page or a chat.
    text = "".join(character for character in text if unicodedata.category(character) != "Cf").strip()
    text = re.sub(r"^tel:", "", text, flags=re.IGNORECASE).strip()
    if not text:
        raise _refusal("empty")
    if re.search(r"\bext\.?\s*\d|;ext=|\bx\s*\d+$", text, flags=re.IGNORECASE):
        raise _refusal("extension")
    if "@" in text or "_" in text:
        raise _refusal("not_a_number")
    if re.search(r"[,|/;&\n\r\t]", text):
        raise _refusal("several")
    if any(character.isalpha() for character in text):
        raise _refusal("letters")
    if text.count("+") > 1:
        raise _refusal("several")
    # 00 is how most of the world dials abroad, but not Indonesia: phonenumbers knows only 008 and 009.
    return re.sub(r"^00(?![89])", "+", text)


def _parsed(typed: str, region: str) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException as exc:
        raise _refusal("not_a_number") from exc
    if phonenumbers.is_valid_number(number) or not re.fullmatch(r"[0-9 .()\-]+", typed):
        return number
    # 60123456789: a number with its country code, without the plus.
    try:
        abroad = phonenumbers.parse(f"+{typed.lstrip('( ')}", region)
    except phonenumbers.NumberParseException:
        return number
    return abroad if phonenumbers.is_valid_number(abroad) else number


def _refusal_of_invalid(typed: str, number: phonenumbers.PhoneNumber, region: str) -> BadReceiver:
    country = str(phonenumbers.country_code_for_region(region))
    digits = re.sub(r"\D", "", typed)
    if digits.startswith(f"0{country}"):
        meant = phonenumbers.parse(f"+{digits[1:]}", region)
        if phonenumbers.is_valid_number(meant):
            return _refusal("zero_before_country", suggestion=_digits(meant))
    if phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE:
        # "Possible" by the country's longest and shortest numbers; which of the two is wrong, digits or length, only
        # the one who typed it can tell, but an Indonesian mobile has 9 to 12 of them after the country code.
        national = len(str(number.national_number))
        is_mobile = region == "ID" and str(number.national_number).startswith("8")
        return _refusal("wrong_length" if is_mobile and not 9 <= national <= 12 else "invalid")
    return _refusal("wrong_length")


def _digits(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def _refusal(reason: str, *, suggestion: str = "") -> BadReceiver:
    return BadReceiver(reason, REASONS[reason], suggestion=suggestion)
