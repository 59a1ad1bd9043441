"""Running a management command inside the test, and what it printed."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command


@dataclass(frozen=True, kw_only=True)
class Run:
    out: str
    err: str
    failure: str | None = None


def run(name: str, *args: Any, **options: Any) -> Run:
    """Run *name*, which must end well."""
    out, err = StringIO(), StringIO()
    call_command(name, *(str(arg) for arg in args), stdout=out, stderr=err, no_color=True, **options)
    return Run(out=out.getvalue(), err=err.getvalue())


def run_failing(name: str, *args: Any, **options: Any) -> Run:
    """Run *name*, which must end with an error; `failure` is its message."""
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError) as raised:
        call_command(name, *(str(arg) for arg in args), stdout=out, stderr=err, no_color=True, **options)
    return Run(out=out.getvalue(), err=err.getvalue(), failure=str(raised.value))


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)
