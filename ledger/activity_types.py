"""The broker's words for what moves cash, and what each is in our books."""

from decimal import Decimal
from typing import Final

from ledger.states import EntryKind

K = EntryKind
_BY_TYPE: Final[dict[str, EntryKind]] = {
    "JNLC": K.JOURNAL,
    "ACATC": K.JOURNAL,
    "INT": K.INTEREST,
    "INTPNL": K.INTEREST,
    "DIV": K.DIVIDEND,
    "DIVCGL": K.DIVIDEND,
    "DIVCGS": K.DIVIDEND,
    "DIVROC": K.DIVIDEND,
    "DIVTXEX": K.DIVIDEND,
    "DIVFEE": K.FEE,
    "FEE": K.FEE,
    "CFEE": K.FEE,
    "PTC": K.FEE,
    "PTR": K.FEE,
    "DIVNRA": K.TAX,
    "DIVFT": K.TAX,
    "DIVTW": K.TAX,
    "INTNRA": K.TAX,
    "INTTW": K.TAX,
    "WH": K.TAX,
    "CIL": K.CORPORATE_ACTION,
    "MA": K.CORPORATE_ACTION,
    "NC": K.CORPORATE_ACTION,
    "REORG": K.CORPORATE_ACTION,
    "SC": K.CORPORATE_ACTION,
    "ACATS": K.CORPORATE_ACTION,
    "JNLS": K.CORPORATE_ACTION,
    "SPIN": K.CORPORATE_ACTION,
    "SPLIT": K.CORPORATE_ACTION,
    "SSO": K.CORPORATE_ACTION,
    "SSP": K.CORPORATE_ACTION,
    "MISC": K.OTHER,
}
# Money that comes back is booked under the word for its way there.
_BY_WAY: Final[dict[str, tuple[EntryKind, EntryKind]]] = {
    "FILL": (K.SALE, K.PURCHASE),
    "CSD": (K.DEPOSIT, K.DEPOSIT_RETURN),
    "CSR": (K.DEPOSIT, K.DEPOSIT_RETURN),
    "CSW": (K.WITHDRAWAL_RETURN, K.WITHDRAWAL),
}


# A dividend may be paid in shares.
_OF_SHARES: Final = frozenset(
    {word for word, kind in _BY_TYPE.items() if kind == K.CORPORATE_ACTION} | {"DIV"}
)


def kind_of(activity_type: str, cash: Decimal) -> EntryKind:
    """Say what a line of the broker's books is; a word that nobody knows is OTHER."""
    if activity_type in _BY_WAY:
        into, out_of = _BY_WAY[activity_type]
        return into if cash > 0 else out_of
    return _BY_TYPE.get(activity_type, K.OTHER)


def is_known(activity_type: str) -> bool:
    """Say whether the word is in our tables."""
    return activity_type in _BY_WAY or activity_type in _BY_TYPE


def moves_shares(activity_type: str) -> bool:
    """Say whether lines of this kind may be about shares that move without a trade."""
    return activity_type in _OF_SHARES
