"""What this process knows of prices and holdings, and what follows from it for each account."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from market.frames import Frame
from portfolio.live import records
from portfolio.live.book import PriceVectors, Stamp
from portfolio.live.holdings import AccountHoldings, HoldingsTable
from portfolio.live.records import NOT_KNOWN, Worth
from portfolio.live.valuation import Figures, Valuer


class Board:
    """Prices by holdings; it knows neither sockets nor Redis."""

    def __init__(self) -> None:
        self.book = PriceVectors()
        self.table = HoldingsTable()
        self.is_feed_lost = True
        self._valuer = Valuer(self.table, self.book)
        self._figures: Figures = self._valuer.figures()
        self._accounts: dict[UUID, AccountHoldings] = {}
        self._unlisted: set[UUID] = set()  # hold something that is no instrument

    @property
    def stamp(self) -> Stamp:
        """Say what values are made from; without a feed they are stale whatever it last said."""
        stamp = self.book.stamp
        is_stale = stamp.is_stale or self.is_feed_lost
        return Stamp(stamp.seq, stamp.epoch, stamp.as_of, is_stale)

    def knows(self, account_id: UUID) -> bool:
        """Say whether the account's holdings were loaded."""
        return account_id in self._accounts

    def symbols(self) -> set[str]:
        """List everything that the accounts hold."""
        return {p.symbol for account in self._accounts.values() for p in account.positions}

    def put(self, accounts: Iterable[AccountHoldings]) -> None:
        """Take over what accounts hold now."""
        for account in accounts:
            self._accounts[account.account_id] = account
            for position in account.positions:
                if position.number is not None:
                    self.book.offer_close(position.number, float(position.previous_close or 0))
            (self._unlisted.add if account.unlisted() else self._unlisted.discard)(
                account.account_id
            )
            if account.cash is None:
                self.table.drop(account.account_id)
            else:
                self.table.put(account.account_id, cash=float(account.cash), lines=account.lines())
        self._figures = self._valuer.figures()

    def drop(self, account_id: UUID) -> None:
        """Forget an account that nobody looks at."""
        self._unlisted.discard(account_id)
        if self._accounts.pop(account_id, None) is not None:
            self.table.drop(account_id)
            self._figures = self._valuer.figures()

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
        rows = [self.table.row_of(account_id) for account_id in account_ids]
        known = [row for row in rows if row is not None]
        figures = self._figures
        worths = records.worths_of(figures, known)
        if len(known) < len(rows):
            told = iter(worths)
            worths = [NOT_KNOWN if row is None else next(told) for row in rows]
        found = list(zip(account_ids, worths, strict=True))
        if self._unlisted or figures.is_incomplete[known].any():
            return [self._with_unpriced(account_id, worth) for account_id, worth in found]
        return found

    def _with_unpriced(self, account_id: UUID, worth: Worth) -> tuple[UUID, Worth]:
        account = self._accounts.get(account_id)
        unpriced = records.unpriced_of(account, self.book) if account else []
        return account_id, worth._replace(unpriced=unpriced)

    def snapshot(self, account_id: UUID, account_text: str, *, at: datetime) -> bytes:
        """Write a snapshot message: the value, cash and every position."""
        account = self._accounts[account_id]
        return records.message(
            records.SNAPSHOT,
            account_text,
            self.worth(account_id),
            records.stamp_text(self.stamp, at=at),
            more=records.snapshot_part(account, self.book),
        )

    def _revalue(self) -> list[UUID]:
        before, self._figures = self._figures, self._valuer.figures()
        accounts = self.table.accounts
        rows = self._figures.differs_from(before).tolist()
        return [account for row in rows if (account := accounts[row]) is not None]
