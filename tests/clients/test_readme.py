"""Every example that is shown runs as it stands, and pages find the client where it says."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.contrib.staticfiles import finders

from tests.clients.factories import ROOT, node

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = re.findall(
    r"^```(js|python)\n(.*?)^```",
    (ROOT / "clients" / "README.md").read_text(),
    re.DOTALL | re.MULTILINE,
)


@contextmanager
def printed_by(*command, **variables):
    """Give the lines that a program prints, as they come, and end it."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"NODE_NO_WARNINGS": "1"} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield iter(process.stdout.readline, "")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.usefixtures("publisher")
@pytest.mark.parametrize(
    ("example", "line"),
    [
        (EXAMPLES[0], "$1300.00 +$3.00 (0.23%) live\n"),
        (EXAMPLES[1], "$1300.00 +$3.00 (0.23%) live\n"),
        (EXAMPLES[2], "together $1300.00\n"),
    ],
    ids=["Node", "Python", "several accounts"],
)
def test_an_example_shows_the_value(example, line, url, account, token):
    kind, code = example
    js = kind == "js"
    runner = [*node(), "--input-type=module", "-e"] if js else [sys.executable, "-u", "-c"]
    variables = {
        "CLERA_URL": url,
        "CLERA_ACCOUNT": str(account.pk),
        "CLERA_TOKEN": token,
        "PYTHONPATH": str(ROOT / "clients" / "python"),
    }
    with printed_by(*runner, code, **variables) as lines:
        assert line in lines


def test_there_is_no_other_example():
    assert [kind for kind, _ in EXAMPLES] == ["js", "python", "python"]


@pytest.mark.usefixtures("publisher", "account")
def test_the_page_to_copy_shows_the_value(url, token):
    runner = Path(__file__).parent / "javascript" / "page.mjs"
    page = finders.find("clients/example.html")
    with printed_by(*node(), runner, page, url, CLERA_TOKEN=token) as lines:
        assert next(lines) == "$1300.00\n"


def test_the_console_and_other_pages_can_load_the_client(client):
    waiting = re.findall(r'<script type="module" src="([^"]+)"', client.get("/").content.decode())
    found = {}
    while waiting:
        path = waiting.pop()
        file = finders.find(path.removeprefix("/static/"))
        imports = re.findall(
            r'^(?:im|ex)port .* from "(.+)";', Path(file).read_text(), re.MULTILINE
        )
        found[path] = {urljoin(path, each) for each in imports}
        waiting += found[path] - found.keys()

    first, second, *others = found
    assert (first, second) == ("/static/console/console.js", "/static/clients/clera-live.js")
    modules = {file.name for file in (ROOT / "clients" / "javascript").glob("*.js")}
    assert {Path(each).name for each in (second, *others)} == modules
