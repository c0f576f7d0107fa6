"""Sealing anew, with the newest key of `FIELD_KEYS`, what older keys have sealed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString, TypeAlias

from django.apps import apps
from django.db import connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder

from core import audit, crypto
from core.auth import SYSTEM, acting_as
from core.db import sealed
from core.db.sealed import SealedColumn

BATCH: Final = 200  # rows that one transaction locks
_SLICE_BYTES: Final = 8 * 1024 * 1024  # and what of them is in memory at once: files are sealed too
_PAUSE_SECONDS: Final = 0.5

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Place:
    """
    A column that holds sealed values.

    :param key: the columns of the primary key.
    :param words: says from a row's key what binds the row's value to it.
    :param holds: which rows hold one, as a condition in SQL.
    """

    table: str
    column: str
    key: tuple[str, ...]
    words: Callable[[Key], str] = field(repr=False, compare=False)
    holds: LiteralString = "true"

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    def query(self, text: LiteralString, **parts: Composable) -> Composed:
        """Put the names of this place into a statement."""
        return SQL(text).format(
            table=Identifier(*self.table.split(".")),
            column=Identifier(self.column),
            key=SQL(", ").join(map(Identifier, self.key)),
            one=SQL("({})").format(SQL(", ").join(Placeholder() * len(self.key))),
            holds=SQL("octet_length({}) > 0 AND ({})").format(
                Identifier(self.column), SQL(self.holds)
            ),
            **parts,
        )


@dataclass(frozen=True)
class Unopened:
    """A value that no key opens in its place; without a `key_id` the key itself is missing."""

    place: Place
    key: Key
    key_id: str | None

    def __str__(self) -> str:
        name = ", ".join(map(str, self.key))
        if self.key_id is None:
            return f"{self.place} of row {name} was sealed with a key that FIELD_KEYS does not have"
        return f"{self.place} of row {name} was changed, or was sealed for another row"


# Which key, or none that we have, has sealed how many values of each place.
Census: TypeAlias = Mapping[Place, Counter[str | None]]

_elsewhere: list[Callable[[], Iterable[Place]]] = []


def include(find: Callable[[], Iterable[Place]]) -> None:
    """Count and reseal these places too: tables that are not ours and hold what we sealed."""
    if find not in _elsewhere:
        _elsewhere.append(find)


def places() -> list[Place]:
    """List every column that holds sealed values and is there already."""
    ours = (place for model in apps.get_models() for place in _columns_of(model))
    others = (place for find in _elsewhere for place in find())
    return [place for place in (*ours, *others) if _exists(place)]


def _columns_of(model: Any) -> Iterator[Place]:
    options = model._meta  # noqa: SLF001 - Django's name for it
    for column in options.local_concrete_fields:
        if isinstance(column, SealedColumn):
            yield Place(
                table=options.db_table,
                column=str(column.column),
                key=(options.pk.column,),
                words=_words(options.label, column.attname),
            )


def _words(label: str, column: str) -> Callable[[Key], str]:
    return lambda key: sealed.place(label, column, key[0])


def _exists(place: Place) -> bool:
    """Say whether its table is there: a migration may be yet to come."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [place.table])
        row = cursor.fetchone()
    return bool(row and row[0])


# Counting

_COUNT: Final = """
    SELECT CASE WHEN used = ANY(%s) THEN used END, count(*)
      FROM (SELECT substr({column}, 2, get_byte({column}, 0)) AS used
              FROM {table} WHERE {holds}) AS counted
     GROUP BY 1
"""


def count() -> Census:
    """Count, in every place, the values that each key has sealed."""
    return {place: _count(place) for place in places()}


def _count(place: Place) -> Counter[str | None]:
    known = [key_id.encode() for key_id in crypto.key_ids()]
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute(place.query(_COUNT), [known])
        rows = cursor.fetchall()
    return Counter({used and bytes(used).decode(): number for used, number in rows})


def outdated(counted: Census) -> int:
    """Say how many of the counted values another than the newest key has sealed."""
    newest = crypto.key_ids()[0]
    return sum(counter.total() - counter[newest] for counter in counted.values())


# Resealing

_LOCK: Final = """
    SELECT {key}, octet_length({column}) FROM {table}
     WHERE {holds} AND substr({column}, 1, %s) <> %s {after}
     ORDER BY {key} LIMIT %s
       FOR UPDATE SKIP LOCKED
"""
_AFTER: Final = "AND ({key}) > {one}"
_READ: Final = "SELECT {key}, {column} FROM {table} WHERE ({key}) IN ({wanted})"
_WRITE: Final = "UPDATE {table} SET {column} = %s WHERE ({key}) = {one}"


class Rotation:
    """
    Seals every value anew that the newest key has not sealed.

    A batch is one transaction, so that it may be stopped anywhere and started again, and several
    may run at once. Rows that others have locked are left out and come later. A value that does
    not open stays as it is.

    :param tell: hears, after each batch, where it was and how many values have been resealed.
    """

    def __init__(self, *, tell: Callable[[Place, int], None] = lambda _place, _count: None) -> None:
        self._tell = tell
        self._unopened: dict[tuple[Place, Key], Unopened] = {}
        self.resealed = 0

    @property
    def unopened(self) -> list[Unopened]:
        """The values that no key opens, in the order in which they were met."""
        return list(self._unopened.values())

    def run(self, *, patience_seconds: float) -> Census:
        """
        Reseal until nothing is left to do, or what is left has been locked for too long.

        Returns what a count finds afterwards; what has been done is on record.
        """
        ends = time.monotonic() + patience_seconds
        while True:
            self._unopened.clear()
            for place in places():
                self._pass_over(place)
            counted = count()
            is_done = outdated(counted) <= len(self._unopened)
            if is_done or time.monotonic() > ends:
                break
            threading.Event().wait(_PAUSE_SECONDS)
        self._record(counted)
        return counted

    def _record(self, counted: Census) -> None:
        if self.resealed or self._unopened:
            audit.record(
                "field_keys.rotated",
                principal="manage.py",
                newest=crypto.key_ids()[0],
                resealed=self.resealed,
                unopened=len(self._unopened),
                left=outdated(counted),
            )

    def _pass_over(self, place: Place) -> None:
        after: Key | None = None
        while True:
            with acting_as(SYSTEM):
                locked = _lock(place, after=after)
                done = sum(self._reseal(place, keys) for keys in _slices(locked))
            if not locked:
                return
            self.resealed += done
            self._tell(place, done)
            after = locked[-1][0]

    def _reseal(self, place: Place, keys: Sequence[Key]) -> int:
        """Reseal the values of rows that are locked."""
        anew: list[tuple[bytes, *Key]] = []
        for key, value in _read(place, keys):
            try:
                plain = crypto.unseal(value, bound_to=place.words(key))
            except crypto.Unsealable:
                key_id = crypto.key_id_of(value)
                known = key_id if key_id in crypto.key_ids() else None
                self._unopened[place, key] = Unopened(place, key, known)
            else:
                anew.append((crypto.seal(plain, bound_to=place.words(key)), *key))
        if anew:
            with connection.cursor() as cursor:
                cursor.executemany(place.query(_WRITE), anew)
        return len(anew)


def _lock(place: Place, *, after: Key | None) -> list[tuple[Key, int]]:
    """Lock the next rows that need it, and say how large their values are."""
    newest = crypto.prefix_of(crypto.key_ids()[0])
    condition = place.query(_AFTER) if after else SQL("")
    values = [len(newest), newest, *(after or ()), BATCH]
    with connection.cursor() as cursor:
        cursor.execute(place.query(_LOCK, after=condition), values)
        return [(tuple(row[:-1]), row[-1]) for row in cursor.fetchall()]


def _slices(locked: Sequence[tuple[Key, int]]) -> Iterator[list[Key]]:
    """Cut a batch into parts that fit into memory; each has one value at least."""
    part: list[Key] = []
    size = 0
    for key, length in locked:
        if part and size + length > _SLICE_BYTES:
            yield part
            part, size = [], 0
        part.append(key)
        size += length
    if part:
        yield part


def _read(place: Place, keys: Sequence[Key]) -> list[tuple[Key, bytes]]:
    wanted = SQL(", ").join([place.query("{one}")] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(place.query(_READ, wanted=wanted), [part for key in keys for part in key])
        return [(tuple(row[:-1]), bytes(row[-1])) for row in cursor.fetchall()]
