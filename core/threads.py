"""How asynchronous code reaches the database: in a few threads of its own, never in the loop."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from channels.db import DatabaseSyncToAsync

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

# Fewer than the connections of the pool, so that sockets never starve the requests.
_THREADS: Final = 4
_executor: Final = ThreadPoolExecutor(_THREADS, thread_name_prefix="database")


async def in_database(
    work: Callable[_Parameters, _Result], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
) -> _Result:
    """
    Run blocking work in a thread and give its database connection back afterwards.

    Not `thread_sensitive`: such calls would all queue for one thread of the whole process.
    """
    call: Any = DatabaseSyncToAsync(work, thread_sensitive=False, executor=_executor)
    result: _Result = await call(*args, **kwargs)
    return result
