"""Why banks send ACH transfers back: the network's codes, in words for customers and operators."""

import re
from dataclasses import dataclass
from typing import Final

_CODE: Final = re.compile(r"(?<![A-Z0-9])R(?:0[1-9]|[1-7][0-9]|8[0-5])(?![A-Z0-9])", re.ASCII)


@dataclass(frozen=True)
class ReturnCode:
    """
    One reason of the network's.

    `meaning` is for the customer and `advice` for the operator. With `ends_bank` nothing more
    should be moved through the linked bank.
    """

    code: str
    meaning: str
    advice: str
    ends_bank: bool = False


_COVER: Final = "Wait until the money is there; it may be tried twice more within 180 days."
_RELINK: Final = "The customer has to link a bank anew; nothing more goes through this one."
_DISPUTE: Final = "Treat it as a dispute: talk to the customer before the account is let go."
_BROKER: Final = "The customer did nothing wrong; ask the broker."
_TECHNICAL: Final = "A technical error between the banks; nothing is wrong with your account."
_NOT_OURS: Final = "A code of another kind of entry than ours; ask the broker."
_BETWEEN_BANKS: Final = "The banks are settling among themselves how the transfer ends."


def _cause(code: str, meaning: str, advice: str) -> ReturnCode:
    return ReturnCode(code, meaning, advice)


def _end(code: str, meaning: str, advice: str) -> ReturnCode:
    return ReturnCode(code, meaning, advice, ends_bank=True)


def _technical(code: str, advice: str) -> ReturnCode:
    return ReturnCode(code, _TECHNICAL, f"{advice} {_BROKER}")


def _foreign(code: str) -> ReturnCode:
    return ReturnCode(code, _TECHNICAL, _NOT_OURS)


def _between_banks(code: str, advice: str) -> ReturnCode:
    return ReturnCode(code, _BETWEEN_BANKS, f"{advice} {_BROKER}")


_ALL: Final = (
    _cause("R01", "The bank account did not hold enough money.", _COVER),
    _end("R02", "The bank account has been closed.", _RELINK),
    _end("R03", "The bank found no such account, or not under this name.", _RELINK),
    _end("R04", "The number of the bank account is not a valid one.", _RELINK),
    _end("R05", "The bank says that this debit was not authorized.", _DISPUTE),
    _cause("R06", "The transfer was called back by the bank that sent it.", _BROKER),
    _end("R07", "The permission to debit the bank account was withdrawn.", _DISPUTE),
    _cause("R08", "The payment was stopped at the bank.", _DISPUTE),
    _cause("R09", "Money in the bank account was not yet available.", _COVER),
    _end("R10", "The owner of the bank account says that it was not authorized.", _DISPUTE),
    _cause("R11", "The owner of the bank account says that it was not as agreed.", _DISPUTE),
    _cause("R12", "The bank account has moved to another bank.", "Ask for the new numbers."),
    _cause("R13", "The routing number is not one that takes transfers.", "Check the numbers."),
    _cause("R14", "The person who acts for the account's owner no longer can.", _DISPUTE),
    _cause("R15", "The bank reports that the account's owner has died.", _DISPUTE),
    _end("R16", "The bank account is frozen.", f"It may be a sanction: tell compliance. {_RELINK}"),
    _cause("R17", "The bank doubts the data of the transfer.", _DISPUTE),
    _technical("R18", "The date of the entry was wrong."),
    _technical("R19", "The amount field of the entry was wrong."),
    _end("R20", "This kind of bank account takes no such transfers.", _RELINK),
    _technical("R21", "The company's identification was wrong."),
    _technical("R22", "The individual's identification was wrong."),
    _cause("R23", "The bank account's owner refused the money.", "Ask the customer why."),
    _cause("R24", "The bank took it for a transfer it had already.", f"Compare both. {_BROKER}"),
    _technical("R25", "The addenda of the entry were wrong."),
    _technical("R26", "A field of the entry was missing."),
    _technical("R27", "The trace number of the entry was wrong."),
    _technical("R28", "The check digit of the routing number was wrong."),
    _end("R29", "The company that owns the bank account did not authorize it.", _DISPUTE),
    _foreign("R30"),
    _cause("R31", "The bank sent it back late, with the other bank's consent.", _BROKER),
    _technical("R32", "The customer's bank could not settle."),
    _foreign("R33"),
    _cause("R34", "The bank takes part in the network with limits.", "Another bank is needed."),
    _technical("R35", "A debit entry was not allowed here."),
    _technical("R36", "A credit entry was not allowed here."),
    *map(_foreign, ("R37", "R38", "R39")),
    *map(_foreign, ("R40", "R41", "R42", "R43", "R44", "R45", "R46", "R47")),
    *map(_foreign, ("R50", "R51", "R52", "R53")),
    _between_banks("R61", "The return went to the wrong bank."),
    _between_banks("R62", "The return was of an erroneous or reversing debit."),
    _between_banks("R67", "The return was a second one of the same entry."),
    _between_banks("R68", "The return came too late."),
    _between_banks("R69", "The return had wrong fields."),
    _between_banks("R70", "The return needed a consent that was not given."),
    _between_banks("R71", "A dishonored return went to the wrong bank."),
    _between_banks("R72", "A dishonored return came too late."),
    _between_banks("R73", "The first return is said to have been in time."),
    _between_banks("R74", "The return was corrected."),
    _between_banks("R75", "The return is said not to be a second one."),
    _between_banks("R76", "No errors were found in the return."),
    _between_banks("R77", "A dishonored return was not accepted."),
    *map(_foreign, ("R80", "R81", "R82", "R83", "R84", "R85")),
)
CODES: Final = {each.code: each for each in _ALL}
# What ends a bank for new transfers, until it is linked anew.
ENDS_BANK: Final = frozenset(each.code for each in _ALL if each.ends_bank)


def read_code(reason: str) -> str:
    """Find the network's code in a broker's words; empty when there is none."""
    found = _CODE.search(reason.upper())
    return found.group() if found else ""


def explain(code: str) -> ReturnCode:
    """Say what a code means; one that we do not know, or none, is explained as such."""
    known = CODES.get(code)
    if known is not None:
        return known
    if code:
        return ReturnCode(code, "The bank sent the transfer back.", f"We do not know it. {_BROKER}")
    return ReturnCode("", "The bank sent the transfer back without a reason.", _BROKER)
