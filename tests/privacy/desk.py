"""A member of the staff who signs in with two factors and opens every page there is."""

import base64
import html
import re
import time
from collections import Counter
from urllib.parse import urljoin, urlsplit

from core.auth.staff_device import STEP_SECONDS, code_at
from tests.privacy.canaries import Net
from tests.privacy.clients import Answers, Client

_LINK = re.compile(r'href="([^"#]+)')
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_SECRET = re.compile(r"<code[^>]*>([A-Z2-7 ]{20,})</code>")
_ROW_CHOSEN = re.compile(r'name="_selected_action" value="([^"]+)"')
_ROW = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
_WAY_BACK = re.compile(r"\?_changelist_filters=.*")
# Leaving ends the session; showing personal data, on record, is what the reveal is for.
_LEFT_OUT = re.compile(r"/(logout|reveal|password_change|jsi18n|history/\?)")


class Desk:
    """A browser that is signed in to the admin."""

    def __init__(self, url: str, net: Net, answers: Answers) -> None:
        self._client = Client(url, answers, Accept="text/html", Referer=url)
        self._net = net

    def sign_in(self, username: str, password: str) -> int:
        page = self._client.get("/admin/login/?next=/admin/").text
        body = {"username": username, "password": password, "next": "/admin/"}
        return self._send("/admin/login/?next=/admin/", page, body)

    def enrol(self) -> None:
        """Set up the second factor; its secret is one more canary."""
        where = "/admin/second-factor/set-up/"
        page = self._client.get(where).text
        found = _SECRET.search(page)
        assert found, page
        shown = found.group(1)
        raw = base64.b32decode(shown.replace(" ", ""))
        for text in (shown, shown.replace(" ", ""), raw.hex()):
            self._net.secret("secondfactor", text)
        code = code_at(raw, int(time.time()) // STEP_SECONDS)
        assert self._send(where, page, {"code": code}) == 302

    def _send(self, path: str, page: str, body: dict[str, str]) -> int:
        found = _TOKEN.search(page)
        assert found, page
        form = {"csrfmiddlewaretoken": found.group(1), **body}
        return self._client.ask("POST", path, data=form).status_code

    def do(self, path: str, **given: str) -> int:
        """Fill in a page of the admin and send it."""
        answer = self._client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return self._send(path, answer.text, given)

    def export(self, table: str) -> int:
        """Take a whole table out as a file, and return how many rows that were."""
        page = self._client.get(table).text
        found, token = _ROW_CHOSEN.search(page), _TOKEN.search(page)
        assert token, page
        assert found, f"{table} is empty"
        form = {"csrfmiddlewaretoken": token.group(1), "action": "export_csv",
                "_selected_action": found.group(1), "select_across": "1"}  # fmt: skip
        answer = self._client.ask("POST", table, data=form)
        assert answer.headers["content-type"].startswith("text/csv"), answer.text
        return len(answer.text.splitlines()) - 1

    def open_everything(self, *, alike: int) -> list[str]:
        """
        Follow every link from the start page on, and return what was opened.

        :param alike: open no more pages that differ by the row alone; of each filter, open one.
        """
        waiting, shapes, opened = ["/admin/"], Counter({"/admin/": 1}), []
        while waiting:
            path = waiting.pop(0)
            answer = self._client.get(path)
            assert answer.status_code in {200, 302, 403, 404}, (path, answer.status_code)
            opened.append(path)
            found = (urljoin(path, html.unescape(link)) for link in _LINK.findall(answer.text))
            links = {_WAY_BACK.sub("", link) for link in found}
            for link in sorted(filter(_is_worth_it, links.difference(opened, waiting))):
                shape = _ROW.sub("*", link.partition("=")[0])
                shapes[shape] += 1
                if shapes[shape] <= (1 if "?" in link else alike):
                    waiting.append(link)
        return opened


def _is_worth_it(link: str) -> bool:
    """Stay in the admin, and leave orderings and combinations of filters alone."""
    parts = urlsplit(link)
    is_ours = not parts.netloc and parts.path.startswith("/admin/")
    is_simple = parts.query.count("=") <= 1 and "o=" not in parts.query
    return is_ours and is_simple and not _LEFT_OUT.search(link)
