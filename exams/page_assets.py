"""
The students' modules, styles and icons in memory, under one version.

Contract:
- `load()` reads exams/static/exams/ once per process. The version is a digest of these very bytes, so what a browser
  keeps for ever under a version is what the version stands for, even if the files on the disk are replaced while the
  process runs. With `DEBUG` a changed file is read at once.
- `url(name)` is the address of a file under the current version. Modules import each other relatively: they all come
  from the version of the page that loaded the first of them.
- Comments that have lines of their own are blanked out on the way to the phone: a third of our scripts is words for
  those who read them. Lines keep their numbers. No line within a template literal may begin with `//` or `/*`.
- `exam_page_assets()` is everything that the exam page needs to work without network: nobody has to remember to list a
  new module.

Not here: HTTP (`config/static_files.py`), what the files do.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from django.conf import settings

FOLDER = Path(__file__).resolve().parent / "static" / "exams"
#: Below the site's root; the version follows.
VERSIONED = "/static/v-"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_COMMENTS = re.compile(rb"^[ \t]*(?:/\*.*?\*/[ \t]*$|//[^\n]*$)", re.MULTILINE | re.DOTALL)
#: `import … from "./name.js"`, `export … from`, `import "./name.js"` and `import("./name.js")`.
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']\./([\w./-]+)["']""")


@dataclass(frozen=True)
class Asset:
    """One file. `gzipped` is None where that would not be smaller."""

    content: bytes
    content_type: str
    etag: str
    gzipped: bytes | None


@dataclass(frozen=True)
class PageAssets:
    """All of them; the names are relative to exams/static/exams/."""

    version: str
    files: dict[str, Asset] = field(repr=False)

    @property
    def prefix(self) -> str:
        """`/static/v-<version>/exams/`"""
        return f"{VERSIONED}{self.version}/exams/"

    def imported_by(self, name: str) -> list[str]:
        """*name* and all modules that it imports, directly or through others; each once, in the order of discovery."""
        found = [name]
        for module in found:  # grows while it is walked
            if module in self.files:
                text = self.files[module].content.decode()
                found += [other for other in dict.fromkeys(_IMPORT.findall(text)) if other not in found]
        return found


def load() -> PageAssets:
    """The files, as they were when this process first asked."""
    return _read(_signature() if settings.DEBUG else ())


def url(name: str) -> str:
    """The address of a file of exams/static/exams/ under the current version."""
    return load().prefix + name


def exam_page_assets() -> list[str]:
    """The addresses of page.js, every module that it needs, the style sheet and the icon."""
    assets = load()
    return [assets.prefix + name for name in (*assets.imported_by("page.js"), "student.css", "icon.svg")]


def _paths() -> list[Path]:
    return sorted(path for path in FOLDER.rglob("*") if path.is_file())


def _signature() -> tuple[tuple[str, int], ...]:
    return tuple((str(path), path.stat().st_mtime_ns) for path in _paths())


@lru_cache(maxsize=1)
def _read(_signature: tuple[tuple[str, int], ...]) -> PageAssets:
    files = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in _paths()}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return PageAssets(digest.hexdigest()[:12], {name: _asset(name, content) for name, content in files.items()})


def without_comments(script: bytes) -> bytes:
    """*script* with its comment lines empty."""
    return _COMMENTS.sub(lambda comment: b"\n" * comment[0].count(b"\n"), script)


def _asset(name: str, content: bytes) -> Asset:
    if name.endswith((".js", ".css")):
        content = without_comments(content)
    # Once and for all, so at the best level; mtime=0, or each process would have bytes of its own under one ETag.
    gzipped = gzip.compress(content, 9, mtime=0)
    return Asset(
        content=content,
        content_type=_TYPES.get(Path(name).suffix, "application/octet-stream"),
        etag=hashlib.sha256(content).hexdigest()[:16],
        gzipped=gzipped if len(gzipped) < len(content) else None,
    )
