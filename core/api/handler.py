"""Answering a request in one thread, from the first middleware to the rendered answer."""

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler


class OneThread(ASGIHandler):
    """
    Goes from the event loop to a thread once a request.

    All views here are synchronous, as is some of the middleware. Django's own handler returns to
    the loop between them: for each hook that sees the view, for the view and for the rendering.
    That takes a sixth of the processor's time of a short request. What a view streams is still
    read on the loop.
    """

    _middleware_chain: Any

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Build the chain as for WSGI, and run the whole of it in a thread."""
        super().load_middleware(is_async=False)
        self._middleware_chain = sync_to_async(self._middleware_chain, thread_sensitive=True)
