"""A person at the hosted page: opens it and clicks by the ids that the page gives its elements."""

import re
from html import unescape
from urllib.parse import urljoin

import httpx


class Browser:
    """Keeps the page that is open; a click sends the form that the element is in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 0
        self.text = ""
        self.left_for = ""
        self.open(url)

    def open(self, url: str) -> None:
        self._take(_send("GET", url))

    def click(self, element: str, **fields: str) -> "Browser":
        form = self._form_of(element)
        values = dict(re.findall(r'name="(\w+)"(?: type="\w+")? value="([^"]*)"', form["fields"]))
        button = re.search(rf'<button[^>]*id="{element}"([^>]*)>', form["fields"])
        assert button is not None
        chosen = re.search(r'name="(\w+)" value="([^"]*)"', button[1])
        for name in re.findall(r'<button[^>]*name="(\w+)"', form["fields"]):
            values.pop(name, None)
        if chosen is not None:
            values[chosen[1]] = chosen[2]
        self._take(_send("POST", urljoin(self.url, form["action"]), values | fields))
        return self

    def _form_of(self, element: str) -> dict[str, str]:
        for action, inside in re.findall(r'<form[^>]*action="([^"]*)">(.*?)</form>', self.text):
            if f'id="{element}"' in inside:
                return {"action": unescape(action), "fields": inside}
        raise AssertionError(f"the page has no #{element}: {self.title}")

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.text)
        return "" if found is None else unescape(found[1])

    def _take(self, answer: httpx.Response) -> None:
        """Follow redirects within the sandbox; note one that leads out of it."""
        while answer.status_code == 303:
            target = urljoin(str(answer.request.url), answer.headers["location"])
            if httpx.URL(target).netloc != answer.request.url.netloc:
                self.left_for = target
                return
            answer = _send("GET", target)
        self.url, self.status, self.text = str(answer.url), answer.status_code, answer.text


def _send(method: str, url: str, data: dict[str, str] | None = None) -> httpx.Response:
    with httpx.Client(timeout=10, verify=False, trust_env=False) as http:
        return http.request(method, url, data=data)


def link_bank(
    page: str, institution: str = "ins_109508", account: str = "checking", **sign_in: str
) -> Browser:
    """Go the whole way to a linked bank."""
    browser = Browser(page).click("continue").click(f"bank-{institution}")
    browser.click("authorize" if 'id="authorize"' in browser.text else "sign-in", **sign_in)
    return browser.click(f"account-{account}").click("finish")
