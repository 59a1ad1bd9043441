"""
Phone numbers as digits with the country code (E.164 without the plus), which is what WhatsApp gateways take.

Contract: `normalise()` returns "" for nothing, the digits for a possible number, and raises `ValueError` with a
sentence for a person otherwise. Numbers without a country code are Indonesian.
"""

import phonenumbers


def normalise(text: str) -> str:
    """Turn `0812-3456-7890`, `+62 812…` or `62812…` into `62812…`."""
    text = text.strip()
    if not text:
        return ""
    if text.startswith("62"):
        text = f"+{text}"
    try:
        number = phonenumbers.parse(text, "ID")
    except phonenumbers.NumberParseException as exc:
        raise ValueError(f"{text!r} is not a phone number. Write it like 081234567890 or +6281234567890.") from exc
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    # Possible alone would let through what can only be dialled inside one town, and 16 digits, which E.164 has not.
    is_possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not is_possible or not 8 <= len(digits) <= 15:
        raise ValueError(f"{text!r} has too few or too many digits for a phone number.")
    return digits
