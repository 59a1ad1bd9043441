"""
Rows as a CSV file that a spreadsheet opens without being told what to do.

Contract:
- No cell is ever a formula: what a message, an error or a name begins with may have been chosen by somebody who means
  harm (OWASP, "CSV Injection"), so an apostrophe is put before whatever a spreadsheet could take for one.
- UTF-8 with its mark, else Excel would take é for two letters. Whole in memory: for tens of thousands of rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

#: The fullwidth ones too: Excel takes them for their narrow relatives.
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_BYTE_ORDER_MARK = "\ufeff"


def safe_cell(value: object) -> str:
    """*value* as text that no spreadsheet evaluates; spaces in front of a formula do not hide it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def csv_response(name: str, header: Sequence[object], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A download called *name* that no cache keeps."""
    response = HttpResponse(
        _BYTE_ORDER_MARK,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
    writer = csv.writer(response)
    writer.writerow([safe_cell(title) for title in header])
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
    return response
