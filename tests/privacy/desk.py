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
