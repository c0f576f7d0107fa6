"""The example page of the JavaScript client, and pages of other origins, in a real browser."""

import shutil

import pytest

from tests.browser.driver import browser

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EXAMPLE = "/static/clients/example.html"


@pytest.fixture
def page(tmp_path):
    assert PROGRAM, "install Chromium first: apt-get install chromium"
    with browser(PROGRAM, tmp_path / "profile") as page:
        yield page


def answer_to(page, url):
    """Ask as the page's own script does, with a credential that makes the browser ask first."""
    asking = f"fetch('{url}', {{headers: {{Authorization: 'Bearer nonsense'}}}})"
    return page.ask(f"{asking}.then((answer) => answer.status).catch(String)")


def test_it_shows_a_live_value(page, clera):
    page.open(clera.url + EXAMPLE)

    page.until("document.getElementById('state')?.textContent === 'live'")
    assert page.until("document.getElementById('value').textContent.startsWith('$')")


def test_a_page_of_an_origin_that_is_named_may_ask(page, clera):
    page.open(clera.url.replace("127.0.0.1", "localhost") + EXAMPLE)
    page.until("document.getElementById('state')")

    assert page.ask("location.hostname") == "localhost"
    assert answer_to(page, f"{clera.url}/api/portfolio/value") == 401


def test_a_page_of_any_other_may_not(page, clera):
    page.open("data:text/html,<p id='state'>from nowhere</p>")
    page.until("document.getElementById('state')")

    assert answer_to(page, f"{clera.url}/api/portfolio/value") == "TypeError: Failed to fetch"
