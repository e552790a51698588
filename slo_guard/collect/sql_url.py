"""Database URLs: which are understood, and how none of them gets into a message."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from slo_guard.scrubbing import without_secrets

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
_DRIVERS: Final = {
    "sqlite": SQLITE,
    "sqlite+pysqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "postgresql+psycopg": POSTGRESQL,
}
_SUCH_AS: Final = "write one such as sqlite:////path/to/file.db or postgresql+psycopg://user@host/database"


class MissingDriverError(ValueError):
    """The database's driver is not installed."""


def parse_url(text: str) -> URL:
    """Return a SQLAlchemy URL of a database that is understood; no ``ValueError`` shows any of it.

    Its ``drivername`` is then ``sqlite`` or ``postgresql``. Raises ``MissingDriverError`` where that is the reason.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"not a database URL; {_SUCH_AS}") from None
    dialect = _DRIVERS.get(url.drivername)
    if dialect is None:
        raise ValueError(f"the databases are sqlite and postgresql+psycopg; {_SUCH_AS}")
    if dialect == SQLITE:
        if url.host or url.username or url.password or url.port or url.query:
            raise ValueError("an sqlite URL is a path and no more; write one such as sqlite:////path/to/file.db")
        if not url.database or url.database == ":memory:":
            raise ValueError("an sqlite URL names a file; write one such as sqlite:////path/to/file.db")
    else:
        _check_driver()
    return url.set(drivername=dialect)


def checked_plain_url(text: str) -> str:
    """Return the text of a URL that may stand in the config: one without a password."""
    url = parse_url(text)
    if url.password is not None or any("password" in name.lower() for name in url.query):
        raise ValueError("a password may not stand in the config; write url: {env: NAME} or {file: PATH} for all of it")
    return text


def _check_driver() -> None:
    try:
        import_module("psycopg")
    except ImportError:
        raise MissingDriverError(
            "PostgreSQL needs a driver; install the extra postgres: pip install 'mc-slo-guard[postgres]'"
        ) from None


def sqlite_file(url: URL, folder: Path) -> Path:
    """Return the file that an sqlite URL names; a relative one is taken from ``folder``."""
    return folder / (url.database or "")


def scrubbed(text: str, url: URL) -> str:
    """Return what a database wrote without the URL and the password, should it have sent them back."""
    passwords = [url.password or "", *(str(value) for name, value in url.query.items() if "password" in name.lower())]
    return without_secrets(text, [url.render_as_string(hide_password=False), *passwords])
