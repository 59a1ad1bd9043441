"""
Who runs the embedded PostgreSQL: the caller, or, as PostgreSQL refuses to run as root, an ordinary account for root.

Contract:
- An ordinary user runs the server himself, in a directory of his own.
- root runs it as the owner of the cluster that is there, else as the system's `postgres`, else as `tahanuji`, which is
  made when it is needed.
- Where the checkout lies in a place that this account may not enter, the directories above it get the right to be
  *passed through* (`o+x`), not to be read, and the server's programs the right to be read. Each change is named on
  stderr.

Not here: starting the server (`embedded_postgres.py`).
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = ("postgres", "tahanuji")


class AccountError(Exception):
    """There is no account that the server could run as; the text says what to do."""


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def owner(directory: Path) -> Account | None:
    """The account of the cluster in *directory*, or None where that is the caller himself."""
    found = directory.stat()
    return None if found.st_uid == os.geteuid() else Account(found.st_uid, found.st_gid)


def prepare(directory: Path, package: Path) -> Account | None:
    """
    Choose the account, give it *directory* and let it use the wheel's *package*; None: the caller runs the server.

    Raises AccountError, or OSError where the file system does not allow it.
    """
    if os.geteuid() != 0:
        if owner(directory) is not None:
            raise AccountError(f"{directory} belongs to another user: run the command as that user, or as root.")
        give(directory, None)
        return None
    account = owner(directory) or _system_account()
    give(directory, account)
    _let_pass(directory.resolve(), account)
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        _let_pass(part, account)
        _let_read(part, account)
    return account


def give(path: Path, account: Account | None) -> None:
    """Make *path* the account's own, and a directory closed to others."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if path.is_dir():
        path.chmod(0o700)


def _system_account() -> Account:
    for name in ACCOUNTS:
        if (account := _account_named(name)) is not None:
            return account
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    why = "there is no useradd"
    if useradd is not None:
        made = subprocess.run(  # noqa: S603 (a list, no shell, nothing from outside)
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNTS[-1]],
            capture_output=True,
            text=True,
            check=False,
        )
        why = made.stderr.strip()
        if (account := _account_named(ACCOUNTS[-1])) is not None:
            print(f"Made the system user {ACCOUNTS[-1]}: PostgreSQL does not run as root.", file=sys.stderr)
            return account
    raise AccountError(
        f"PostgreSQL does not run as root, and no account for it could be made ({why}). Make a system user"
        f" `{ACCOUNTS[-1]}`, run this as an ordinary user, or set DATABASE_URL to a server of your own."
    )


def _account_named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _let_pass(place: Path, account: Account) -> None:
    """Let *account* pass through each directory above *place*."""
    for directory in place.parents:
        found = directory.stat()
        if not _may(found, account, stat.S_IXOTH):
            directory.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
            print(f"{directory}: others may now pass through it (o+x), so that PostgreSQL can run.", file=sys.stderr)


def _let_read(place: Path, account: Account) -> None:
    """Let *account* read what is in *place*, and enter and run what its owner may enter and run."""
    changed = 0
    for path in (place, *_below(place)):
        found = path.stat()
        wanted = stat.S_IROTH | (stat.S_IXOTH if found.st_mode & stat.S_IXUSR else 0)
        if not _may(found, account, wanted):
            path.chmod(stat.S_IMODE(found.st_mode) | wanted)
            changed += 1
    if changed:
        print(f"{place}: others may now read it ({changed} files), so that PostgreSQL can run.", file=sys.stderr)


def _below(place: Path) -> Iterator[Path]:
    for directory, directories, files in os.walk(place):
        yield from (Path(directory, name) for name in (*directories, *files))


def _may(found: os.stat_result, account: Account, wanted: int) -> bool:
    """Whether *account* has the rights *wanted* (as bits for others) on a file; its further groups count not."""
    if found.st_uid == account.uid:
        wanted <<= 6
    elif found.st_gid == account.gid:
        wanted <<= 3
    return found.st_mode & wanted == wanted
