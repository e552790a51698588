"""The web pages, ``/`` and one for each KPI: no JavaScript, and everything that comes from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from slo_guard import __version__
from slo_guard.domain.explanations import Explanation
from slo_guard.expose.kpi_page import kpi_page_view
from slo_guard.expose.page_view import page_view
from slo_guard.expose.snapshot import Snapshot

_REFRESH_SECONDS = 15


class Page:
    """Renders snapshots as HTML; built once, used from any thread."""

    def __init__(self, style: str, environment: SandboxedEnvironment) -> None:
        self._style = Markup(style)  # noqa: S704 - our own style sheet, it has nothing from outside in it
        self._template = environment.get_template("page.html")
        self._kpi_template = environment.get_template("kpi.html")
        digest = hashlib.sha256(style.encode()).digest()
        self.style_hash = f"sha256-{base64.b64encode(digest).decode()}"
        """The hash by which a Content-Security-Policy allows exactly this page's style."""

    @classmethod
    def load(cls) -> Page:
        """Read the template and the style that come with the package."""
        environment = SandboxedEnvironment(
            loader=PackageLoader("slo_guard.expose"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return cls((files("slo_guard.expose") / "templates" / "page.css").read_text(encoding="utf-8"), environment)

    def render(self, snapshot: Snapshot | None, now: float) -> str:
        """Return the page at ``now`` (Unix seconds); without a snapshot it says what is awaited."""
        return self._template.render(
            style=self._style,
            refresh_seconds=_REFRESH_SECONDS,
            version=__version__,
            view=None if snapshot is None else page_view(snapshot, now),
        )

    def render_kpi(self, explanation: Explanation, now: float) -> str:
        """Return the page of one KPI at ``now`` (Unix seconds)."""
        return self._kpi_template.render(style=self._style, version=__version__, view=kpi_page_view(explanation, now))
