"""What this process knows of prices and holdings, and what follows from it for each account."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import numpy as np

from market.frames import Frame
from portfolio.live import records
from portfolio.live.book import PriceVectors, Stamp
from portfolio.live.holdings import AccountHoldings
from portfolio.live.records import NOT_KNOWN, Worth
from portfolio.live.table import HoldingsTable, Rows
from portfolio.live.valuation import Valuer


class Board:
    """Prices by holdings; it knows neither sockets nor Redis."""

    def __init__(self) -> None:
        self.book = PriceVectors()
        self.table = HoldingsTable()
        self.is_feed_lost = True
        self._valuer = Valuer(self.table, self.book)
        self._accounts: dict[UUID, AccountHoldings] = {}
        self._day = 0
        self._unlisted: set[UUID] = set()  # hold something that is no instrument
        self._stale: set[UUID] = set()  # hold something whose price is stale
        self._stale_by = self.book.is_stale, self.book.stale
        self._moved: set[UUID] = set()  # by what others brought with them; told with the next frame

    @property
    def stamp(self) -> Stamp:
        """Say what values are made from; without frames it is stale whatever they last said."""
        stamp = self.book.stamp
        is_stale = stamp.is_stale or self.is_feed_lost
        return Stamp(stamp.seq, stamp.epoch, stamp.as_of, is_stale)

    def knows(self, account_id: UUID) -> bool:
        """Say whether the account's holdings were loaded."""
        return account_id in self._accounts

    def symbols(self) -> set[str]:
        """List everything that the accounts hold."""
        return {p.symbol for account in self._accounts.values() for p in account.positions}

    def holdings_of(self, account_id: UUID) -> AccountHoldings:
        """Return what was loaded of an account."""
        return self._accounts[account_id]

    def revision_of(self, account_id: UUID) -> str:
        """Name what is shown of an account on this day, apart from prices."""
        return records.revision_of(self._accounts[account_id], self.book)

    def put(self, accounts: Iterable[AccountHoldings]) -> None:
        """
        Take over what accounts hold now.

        Until it is read anew, what was read for an earlier day counts as held since the last close.
        """
        put, earlier = set(), []
        for account in accounts:
            put.add(account.account_id)
            self._accounts[account.account_id] = account
            is_earlier = account.is_before(self.book.day)
            for position in account.positions:
                if position.number is not None:
                    close = None if is_earlier else position.previous_close
                    self.book.offer_close(position.number, float(close or 0))
            (self._unlisted.add if account.unlisted() else self._unlisted.discard)(
                account.account_id
            )
            (self._stale.add if self._is_stale(account) else self._stale.discard)(
                account.account_id
            )
            if account.cash is None:
                self.table.drop(account.account_id)
            else:
                self.table.put(account.account_id, cash=float(account.cash), lines=account.lines())
            if is_earlier:
                earlier.append(account.account_id)
        if earlier:
            self.table.begin_day(earlier)
        self._moved.update(set(self._accounts_of(self._valuer.update())) - put)

    def drop(self, account_id: UUID) -> None:
        """Forget an account that nobody looks at."""
        self._unlisted.discard(account_id)
        self._stale.discard(account_id)
        self._moved.discard(account_id)
        if self._accounts.pop(account_id, None) is not None:
            self.table.drop(account_id)
            self._moved.update(self._accounts_of(self._valuer.update()))

    def follow(self, frame: Frame) -> list[UUID]:
        """
        Take over a frame and list the accounts that are worth something else now.

        :raises MissedFrame: read the whole, and call `replace`.
        """
        return self._revalue() if self.book.follow(frame) else []

    def replace(self, frame: Frame) -> list[UUID]:
        """Take over the whole of the prices and list the accounts worth something else now."""
        self.book.replace(frame)
        return self._revalue()

    def worth(self, account_id: UUID) -> Worth:
        """Say what an account is worth, as of the last frame."""
        return self.worths([account_id])[0][1]

    def worths(self, account_ids: Sequence[UUID]) -> list[tuple[UUID, Worth]]:
        """Say what accounts are worth, as of the last frame."""
        rows, known = self._rows_of(account_ids)
        told = iter(records.worths_of(self._valuer.figures, known))
        worths = [NOT_KNOWN if row is None else next(told) for row in rows]
        for index in self._lacking(account_ids, rows, known):
            worths[index] = self._with_unpriced(account_ids[index], worths[index])
        for index in self._stale_among(account_ids):
            worths[index] = worths[index]._replace(is_stale=True)
        return list(zip(account_ids, worths, strict=True))

    def value_texts(self, account_ids: Sequence[UUID], stamp: str) -> list[str]:
        """Write what accounts are worth, with the stamp, as their messages end."""
        rows, known = self._rows_of(account_ids)
        told = iter(records.value_texts(self._valuer.figures, known))
        ends = [records.tail(stamp, is_stale=False)] * len(rows)
        for index in self._stale_among(account_ids):
            ends[index] = records.tail(stamp, is_stale=True)
        texts = [
            "" if row is None else next(told) + end for row, end in zip(rows, ends, strict=True)
        ]
        lacking = self._lacking(account_ids, rows, known)
        worths = self.worths([account_ids[index] for index in lacking]) if lacking else []
        for index, (_, worth) in zip(lacking, worths, strict=True):
            end = records.tail(stamp, worth.unpriced, is_stale=worth.is_stale)
            texts[index] = records.value_text(worth) + end
        return texts

    def _rows_of(self, account_ids: Sequence[UUID]) -> tuple[list[int | None], Rows]:
        rows = self.table.rows_of(account_ids)
        return rows, np.array([row for row in rows if row is not None], dtype=np.intp)

    def _lacking(
        self, account_ids: Sequence[UUID], rows: Sequence[int | None], known: Rows
    ) -> list[int]:
        """Point out the few accounts of which something is not known; as a rule there are none."""
        is_incomplete = self._valuer.figures.is_incomplete
        is_whole = len(known) == len(rows) and not self._unlisted
        if is_whole and not is_incomplete[known].any():
            return []
        return [
            index
            for index, (account_id, row) in enumerate(zip(account_ids, rows, strict=True))
            if row is None or is_incomplete[row] or account_id in self._unlisted
        ]

    def _stale_among(self, account_ids: Sequence[UUID]) -> Sequence[int]:
        """Point out the accounts with a price that is stale; as a rule there are none."""
        if self.is_feed_lost:
            return range(len(account_ids))
        return [i for i, a in enumerate(account_ids) if a in self._stale] if self._stale else ()

    def _is_stale(self, account: AccountHoldings) -> bool:
        """Look for what is stale among all that an account holds; cash has no price."""
        if self.book.is_stale:  # nothing is live, whether it was marked or not
            return any(p.quantity for p in account.positions)
        stale = self.book.stale
        return bool(stale) and any(p.number in stale for p in account.positions if p.quantity)

    def _note_stale(self) -> None:
        """Look through all accounts when other prices than before are stale, and only then."""
        stale_by = self.book.is_stale, self.book.stale
        if stale_by[0] != self._stale_by[0] or stale_by[1] is not self._stale_by[1]:
            self._stale_by = stale_by
            before, accounts = self._stale, self._accounts.values()
            self._stale = {a.account_id for a in accounts if self._is_stale(a)}
            self._moved |= before ^ self._stale  # also those of whom no figure is known

    def _with_unpriced(self, account_id: UUID, worth: Worth) -> Worth:
        account = self._accounts.get(account_id)
        unpriced = records.unpriced_of(account, self.book) if account else []
        return worth._replace(unpriced=unpriced) if unpriced else worth

    def _revalue(self) -> list[UUID]:
        if self.book.day != self._day:
            self._day = self.book.day
            self._begin_day()
        self._note_stale()
        changed = self._accounts_of(self._valuer.update())
        if self._moved:
            changed = list({*changed, *self._moved})
            self._moved.clear()
        return changed

    def _begin_day(self) -> None:
        earlier = [a.account_id for a in self._accounts.values() if a.is_before(self._day)]
        if earlier:
            self.table.begin_day(earlier)

    def _accounts_of(self, rows: Rows) -> list[UUID]:
        accounts = self.table.accounts
        return [account for row in rows.tolist() if (account := accounts[row]) is not None]
