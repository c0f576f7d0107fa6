"""Very many rows between PostgreSQL and numpy, as bytes of equal widths: no object for any row."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from django.db import connection
from numpy.typing import NDArray

_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_KINDS: Final = {
    "uuid": np.dtype("V16"),
    "int4": np.dtype(">i4"),
    "int8": np.dtype(">i8"),
    "float8": np.dtype(">f8"),
    "bool": np.dtype("u1"),
}
Values = Sequence[object] | Mapping[str, object]


@contextmanager
def large_joins() -> Iterator[None]:
    """
    Have statements of this transaction not go through one table for each row of another.

    PostgreSQL believes that our policies let few rows pass, whoever asks; of a whole book that is
    wrong by so much that a join would take hours.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        yield
        cursor.execute("SET LOCAL enable_nestloop = on")


class NotFixed(ValueError):
    """A row has another width than its columns say: one of its values is null."""


def read_rows(query: str, values: Values, columns: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """
    Read the columns of a query as vectors; each column's type in PostgreSQL is named.

    :raises NotFixed: a value is null.
    """
    data = bytearray()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", values) as copy,
    ):
        for piece in copy:
            data += piece
    record = _record(columns)
    body = memoryview(data)[len(_BEGIN) : -len(_END)]
    if len(body) % record.itemsize:
        raise NotFixed("The rows of the query have no fixed width.")
    rows = np.frombuffer(body, dtype=record)
    if any((rows[_size(name)] != rows.dtype[name].itemsize).any() for name in columns):
        raise NotFixed("The rows of the query have no fixed width.")
    return {name: rows[name].astype(_native(rows.dtype[name])) for name in columns}


def write_rows(table: str, columns: Mapping[str, str], vectors: Mapping[str, NDArray[Any]]) -> None:
    """Add rows to a table of these columns, of which each is given as a vector."""
    count = len(next(iter(vectors.values())))
    rows = np.zeros(count, dtype=_record(columns))
    rows["columns"] = len(columns)
    for name in columns:
        rows[_size(name)] = rows.dtype[name].itemsize
        rows[name] = vectors[name]
    names = ", ".join(columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(_BEGIN)
        copy.write(rows.tobytes())
        copy.write(_END)


def _record(columns: Mapping[str, str]) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [("columns", ">i2")]
    for name, kind in columns.items():
        fields += [(_size(name), ">i4"), (name, _KINDS[kind])]
    return np.dtype(fields)


def _size(name: str) -> str:
    return f"{name}.size"


def _native(kind: np.dtype[Any]) -> np.dtype[Any]:
    return kind.newbyteorder("=") if kind.kind in "if" else kind
