"""The same values over HTTP, while no socket can be had."""

import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Self

import httpx

from clera_live.pauses import Timing


class Reader:
    """Reads the record of one account after the other."""

    def __init__(self, url: str, *, act_for: str | None, timing: Timing) -> None:
        named = {} if act_for is None else {"X-Act-For": act_for}
        self._client = httpx.AsyncClient(
            base_url=url, headers=named, timeout=timing.connect_seconds
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def records(
        self, token: str, account_ids: Sequence[str] | None
    ) -> AsyncIterator[dict[str, Any]]:
        """
        Give the records of these accounts, or of all that the token reaches.

        :raises httpx.HTTPError: the server cannot be asked, or will not answer.
        """
        if account_ids is None:
            me = await self._get("/api/me", token)
            account_ids = [each["account_id"] for each in (me or {}).get("accounts", ())]
        for account_id in account_ids:
            record = await self._get("/api/portfolio/value", token, accountId=account_id)
            if record is not None:  # the code of the socket says what a missing one means
                yield record

    async def _get(self, path: str, token: str, **query: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._client.get(path, params=query, headers=headers)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        record: dict[str, Any] = json.loads(answer.content, parse_float=Decimal)
        return record
