"""A request is answered in one thread, and what a view streams is read on the event loop."""

import threading

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import path

from core.api.handler import OneThread

SEEN: list[tuple[str, int]] = []
pytestmark = [pytest.mark.asyncio, pytest.mark.urls(__name__)]


def note(what):
    SEEN.append((what, threading.get_ident()))


class Rendered(SimpleTemplateResponse):
    @property
    def rendered_content(self):
        note("rendering")
        return "done"


def page(request):
    note("view")
    return Rendered("unused.html")


def stream(request):
    async def pieces():
        for _ in range(3):
            note("piece")
            yield "x"

    note("view")
    return StreamingHttpResponse(pieces())


class Noting:
    """Middleware with a hook of every kind that a request passes."""

    def __init__(self, get_response):
        self._get_response = get_response

    def __call__(self, request):
        note("before")
        response = self._get_response(request)
        note("after")
        return response

    def process_view(self, request, view, arguments, named):
        note("hook")

    def process_template_response(self, request, response):
        note("template hook")
        return response


urlpatterns = [path("page", page), path("stream", stream)]


async def get(where):
    scope = {
        "type": "http", "method": "GET", "path": where, "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "root_path": "",
    }  # fmt: skip
    communicator = ApplicationCommunicator(OneThread(), scope)
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    start, body, more = await communicator.receive_output(30), b"", True
    while more:
        told = await communicator.receive_output(30)
        body, more = body + told.get("body", b""), told.get("more_body", False)
    await communicator.wait(30)
    return start["status"], body


@pytest.fixture(autouse=True)
def noting(settings):
    settings.MIDDLEWARE = [f"{__name__}.Noting"]
    SEEN.clear()


async def test_everything_happens_in_one_thread_that_is_not_the_loops():
    assert await get("/page") == (200, b"done")

    done = ["before", "hook", "view", "template hook", "rendering", "after"]
    assert [what for what, _ in SEEN] == done
    (thread,) = {thread for _, thread in SEEN}
    assert thread != threading.get_ident()


async def test_what_is_streamed_is_read_on_the_loop():
    assert await get("/stream") == (200, b"xxx")

    assert [thread for what, thread in SEEN if what == "piece"] == [threading.get_ident()] * 3
    assert [thread for what, thread in SEEN if what == "view"] != [threading.get_ident()]
