"""``slo-guard status``: the sprint, its KPIs, what fires, sources and messages, in the terminal."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path

import click
from rich.live import Live

from slo_guard.cli.config_file import config_option
from slo_guard.cli.recorded import CleanConsole, Seconds, format_option, load_daemon, print_json, tell
from slo_guard.cli.status_api import UnreachableError, ask_daemon
from slo_guard.cli.status_model import Origin, StatusReport
from slo_guard.cli.status_store import report_of
from slo_guard.cli.status_text import status_document, status_view
from slo_guard.cli.stored import refuse
from slo_guard.clock import to_unix, utcnow
from slo_guard.config.server import ServerSettings
from slo_guard.errors import SloGuardError
from slo_guard.fields import Secret
from slo_guard.http_options import AuthOptions, HttpOptions, TlsOptions, checked_url
from slo_guard.http_session import HttpSession
from slo_guard.loaded import Loaded
from slo_guard.store import open_stored

_WELL, _UNWELL, _UNREACHABLE = 0, 1, 2
_TOKEN = "SLO_GUARD_TOKEN"  # noqa: S105 - the name of a variable
_NARROW = 80
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked at, not bound to


@click.command()
@click.option("--url", metavar="URL", help="Where the daemon serves.  [the config's server]")
@click.option("--token-file", type=click.Path(path_type=Path), help=f"File of a bearer token.  [${_TOKEN}]")
@click.option("--ca-file", type=click.Path(path_type=Path), help="PEM file of the authority to trust for HTTPS.")
@click.option("--watch", is_flag=True, help="Show it again and again, in place, until Ctrl-C.")
@click.option(
    "--every", type=Seconds(min=0.5, max=86400.0), default=2.0, show_default=True, help="Seconds between looks."
)
@format_option
@config_option
def status(
    *,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    watch: bool,
    every: float,
    style: str,
    config_path: Path,
) -> None:
    """Show how the sprint stands: days left, KPIs by lane, alerts, sources and messages.

    The running daemon is asked. Where none answers, the store says how it stood when it was last judged.

    Exit code 0: no alert fires, and no KPI of a sprint that runs is missed or without data; 1: one does or is;
    2: no daemon answers, or wrong use. After --watch it is 0.
    """
    if watch and style == "json":
        refuse("--watch is for people; leave out --format json")
    # With its address given nothing else is needed: it may be asked from another machine.
    loaded = load_daemon(config_path) if url is None or config_path.is_file() else None
    address = _address(url, None if loaded is None else loaded.config.server)
    with closing(HttpSession(_http(token_file, ca_file))) as session:
        if watch:
            _watch(session, address, loaded, every)
            sys.exit(_WELL)
        report = _look(session, address, loaded)
    if report is None:
        sys.exit(_UNREACHABLE)
    if style == "json":
        print_json(status_document(report))
    else:
        console = CleanConsole()
        width = console.width if console.is_terminal else _NARROW
        CleanConsole(width=width).print(status_view(report, _now()))
    sys.exit(_UNREACHABLE if report.origin is Origin.STORE else _WELL if report.well else _UNWELL)


def _address(url: str | None, server: ServerSettings | None) -> str:
    """Return the daemon's address without a slash at its end; ends the command with exit code 2 where none is known."""
    if url is not None:
        try:
            return checked_url(url).rstrip("/")
        except ValueError as error:
            refuse(f"--url: {error}")
    assert server is not None
    if server.port == 0:
        refuse("the config has the daemon take any free port; write --url as its log names it")
    host = _ANY.get(server.host, server.host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls is not None else 'http'}://{shown}:{server.port}"


def _http(token_file: Path | None, ca_file: Path | None) -> HttpOptions:
    known = (
        Secret(file=token_file) if token_file is not None else Secret(env=_TOKEN) if os.environ.get(_TOKEN) else None
    )
    return HttpOptions(
        retries=0,
        tls=TlsOptions(ca_file=ca_file),
        auth=None if known is None else AuthOptions(bearer=known),
    )


def _look(session: HttpSession, url: str, loaded: Loaded | None) -> StatusReport | None:
    """Return how it stands, by the daemon or else by the store; None, with what is wrong said, where neither tells."""
    try:
        return ask_daemon(session, url)
    except UnreachableError as error:
        why = str(error)
    if loaded is None:
        tell([f"daemon not reachable: {why}"])
        return None
    try:
        with closing(open_stored(loaded.config.store.path)) as store:
            return report_of(loaded, store, url, _now(), why)
    except SloGuardError as error:
        tell([f"daemon not reachable: {why}", str(error)])
        return None


def _watch(session: HttpSession, url: str, loaded: Loaded | None, every: float) -> None:
    console = CleanConsole()
    try:
        with Live(
            console=console, screen=console.is_terminal, auto_refresh=False, vertical_overflow="ellipsis"
        ) as live:
            while True:
                report = _look(session, url, loaded)
                if report is not None:
                    live.update(status_view(report, _now()), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        return


def _now() -> float:
    return to_unix(utcnow())
