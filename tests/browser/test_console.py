"""The page as a person sees it: values move, a question is answered, a proposal is approved."""

import shutil

import pytest

from tests.browser.driver import browser

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def page(clera, tmp_path):
    assert PROGRAM, "install Chromium first: apt-get install chromium"
    with browser(PROGRAM, tmp_path / "profile") as page:
        page.open(f"{clera.url}/")
        page.until("document.getElementById('state')?.textContent === 'live'")
        yield page


def text_of(page, name):
    return page.ask(f"document.getElementById('{name}').textContent")


def test_the_value_moves_by_itself(page):
    before = text_of(page, "value")

    assert before.startswith("$")
    assert page.until(f"document.getElementById('value').textContent !== '{before}'")
    assert page.until("document.querySelectorAll('#positions tr').length >= 6")


def test_a_proposal_is_approved_and_becomes_an_order(page, tmp_path):
    page.ask("document.getElementById('question').value = 'Buy $20 of KO'")
    page.ask("document.querySelector('#ask button').click()")
    page.until("document.querySelector('.proposal button')")

    assert "BUY $20.00 of KO" in page.ask("document.querySelector('.proposal pre').textContent")
    page.ask("document.querySelector('.proposal button').click()")
    assert page.until(
        "[...document.querySelectorAll('#orders tr')].some((row) => row.innerText.includes('KO'))"
    )
    page.picture(tmp_path / "console.png")
    assert (tmp_path / "console.png").stat().st_size > 20_000
