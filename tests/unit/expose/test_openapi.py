"""What is documented of the API: clients are generated from it, and people read it at /docs."""

from __future__ import annotations

import shutil

import pytest
import requests
from playwright.sync_api import sync_playwright

from slo_guard.expose.answers import AlertsAnswer
from slo_guard.expose.evidence_answers import EvidenceAnswer
from slo_guard.expose.openapi_examples import EXAMPLES
from slo_guard.expose.prometheus_models import PrometheusAlertsAnswer
from slo_guard.expose.sources_api import SourcesAnswer
from slo_guard.expose.sprint_answers import SprintsAnswer
from tests.support.serving import serving
from tests.support.whole_picture import whole_snapshot

CHROMIUM = shutil.which("chromium")
SHOWN = {
    "/api/v1/sprint": SprintsAnswer,
    "/api/v1/alerts": AlertsAnswer,
    "/api/v1/sources": SourcesAnswer,
    "/api/v1/evidence": EvidenceAnswer,
    "/prometheus/api/v1/alerts": PrometheusAlertsAnswer,
}


@pytest.fixture(scope="module")
def url():
    """Serve everything that can be shown."""
    with serving(whole_snapshot()) as base:
        yield base


@pytest.fixture(scope="module")
def document(url):
    """Return the document."""
    return requests.get(f"{url}/api/v1/openapi.json", timeout=10).json()


def operations(document):
    """Yield path, method and operation of each route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_says_what_it_does_and_how_it_fails(document):
    """A client must know each answer before it gets it."""
    for path, method, operation in operations(document):
        assert operation["tags"], path
        assert operation["description"], path
        statuses = set(operation["responses"])
        assert {"431", "500", "503"} <= statuses, path
        assert ("404" in statuses) or "{" not in path, path
        assert ("413" in statuses) is (method != "get"), path
        assert not {"4XX", "5XX", "default"} & statuses, path


def test_errors_are_documented_as_they_are_answered(document):
    """Problem JSON everywhere, but for Prometheus's own clients."""
    kpi = document["paths"]["/api/v1/kpis/{kpi}"]["get"]["responses"]
    rules = document["paths"]["/prometheus/api/v1/rules"]["get"]["responses"]

    assert list(kpi["404"]["content"]) == ["application/problem+json"]
    assert (list(rules["400"]["content"]), "422" in rules) == (["application/json"], False)
    assert set(kpi["503"]["headers"]) == {"Retry-After"}
    assert set(kpi["401"]["headers"]) == {"WWW-Authenticate"}


def test_whatever_writes_asks_for_a_login(document):
    """A generated client sends its token where one may be needed."""
    login = [{"bearer": []}, {"basic": []}]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "basic"}
    for path, method, operation in operations(document):
        if path.startswith("/-/") and method == "get":
            assert "security" not in operation
        else:
            assert operation["security"] == ([{}, *login] if method == "get" else login)


def test_names_of_operations_are_words_and_each_is_there_once(document):
    """They become the names of functions in generated clients."""
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and "api_v1" not in name for name in names)


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_is_what_could_be_answered(document, path):
    """People copy from examples."""
    SHOWN[path].model_validate(EXAMPLES[path], strict=True)
    assert document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]


class TestDocsPage:
    """Interactive documentation that works where there is no way to the internet."""

    def test_it_may_no_more_than_any_other_page(self, url):
        """An exception for one page would be an exception for whoever finds a hole in it."""
        docs, board = (
            requests.get(f"{url}{path}", timeout=5).headers["content-security-policy"] for path in ("/docs", "/")
        )

        assert docs == board
        assert "unsafe" not in docs
        assert "http" not in docs

    @pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js", "docs.js"])
    def test_its_files_come_from_here(self, url, name):
        """The package that ships them is of the release that was locked."""
        answer = requests.get(f"{url}/docs/{name}", timeout=5)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=3600")

    @pytest.mark.parametrize("name", ["redoc.standalone.js", "..%2F..%2Fapi.py", "docs.html"])
    def test_no_other_file_does(self, url, name):
        """A path is no way into the package's folder."""
        assert requests.get(f"{url}/docs/{name}", timeout=5).status_code == 404

    @pytest.mark.peer
    @pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
    def test_a_browser_shows_every_route_and_tries_one_without_a_word_from_elsewhere(self, url, document):
        """What the policy forbids shows as an error in the console and a hole in the page."""
        complaints, asked = [], []
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.on(
                "console",
                lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{url}/docs")
            page.wait_for_selector(".opblock")
            shown = page.locator(".opblock").count()
            page.click("#operations-sprint-sprint .opblock-summary-control")
            page.click("#operations-sprint-sprint .execute")
            answered = page.locator(
                "#operations-sprint-sprint .live-responses-table .response-col_status"
            ).last.inner_text()
            browser.close()

        assert complaints == []
        assert shown == len(list(operations(document)))
        assert answered.startswith("200")
        assert [each for each in asked if not each.startswith(url)] == []
