"""The numbers by which states know their taxpayers, as far as one can see them to be wrong."""

import re
from typing import Final

from sandbox.broker import fields

_NINE_DIGITS = re.compile(r"\d{3}-?\d{2}-?\d{4}", re.ASCII)
# The middle digits that the tax office gives out for an ITIN.
_ITIN_GROUPS = {*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)}

# Without spaces, dots, dashes and slashes. Types with no shape here have the general rule only.
_SHAPES: Final = {
    "ARG_AR_CUIT": r"\d{11}",
    "AUS_TFN": r"\d{8,9}",
    "AUS_ABN": r"\d{11}",
    "BRA_CPF": r"\d{11}",
    "CHL_RUT": r"\d{7,8}[0-9K]",
    "DEU_TAX_ID": r"\d{11}",
    "ECU_RUC": r"\d{13}",
    "FRA_SPI": r"\d{13}",
    "GBR_UTR": r"\d{10}",
    "GBR_NINO": r"[A-Z]{2}\d{6}[A-D]",
    "HND_RTN": r"\d{14}",
    "IDN_KTP": r"\d{16}",
    "IND_PAN": r"[A-Z]{5}\d{4}[A-Z]",
    "ISR_TAX_ID": r"\d{9}",
    "ITA_TAX_ID": r"[A-Z]{6}[0-9A-Z]{9}[A-Z]",
    "JPN_TAX_ID": r"\d{12}",
    "MEX_RFC": r"[A-Z&]{3,4}\d{6}[0-9A-Z]{3}",
    "NLD_TIN": r"\d{9}",
    "PER_RUC": r"\d{11}",
    "SGP_NRIC": r"[ST]\d{7}[A-Z]",
    "SGP_FIN": r"[FGM]\d{7}[A-Z]",
    "SLV_NIT": r"\d{14}",
    "SWE_TAX_ID": r"\d{10}|\d{12}",
    "URY_RUT": r"\d{12}",
    "VEN_RIF": r"[VEJPG]\d{8,9}",
}
_WITHOUT_SHAPE = {
    "BOL_NIT", "COL_NIT", "CRI_NITE", "DOM_RNC", "GTM_NIT", "HUN_TIN", "NIC_RUC", "PAN_RUC",
    "PRY_RUC", "SGP_ASGD", "SGP_ITR", "NATIONAL_ID", "PASSPORT", "PERMANENT_RESIDENT",
    "DRIVER_LICENSE", "OTHER_GOV_ID", "NOT_SPECIFIED",
}  # fmt: skip
_AMERICAN = {"USA_SSN": "SSN", "USA_ITIN": "ITIN"}
TYPES: Final = frozenset({*_AMERICAN, *_SHAPES, *_WITHOUT_SHAPE})


def check(name: str, kind: str, number: object) -> None:
    """
    Refuse a number that cannot be of its type.

    :raises Refusal: naming the type, never the number.
    """
    if not is_plausible(kind, fields.latin(name, number)):
        fields.refuse(name, f"is not a valid {_AMERICAN.get(kind, kind)}")


def is_plausible(kind: str, number: str) -> bool:
    """Say whether a number can be of its type; one repeated character never is."""
    bare = re.sub(r"[ ./-]", "", number).upper()
    if len(set(bare)) < 2:  # noqa: PLR2004 - one character, or the same all along
        return False
    if kind in _AMERICAN:
        return _is_american(kind, number)
    return kind not in _SHAPES or re.fullmatch(_SHAPES[kind], bare, re.ASCII) is not None


def _is_american(kind: str, number: str) -> bool:
    """
    Check the three groups of nine digits.

    The real broker refuses areas of 666 and 123-45-6789 too. Its own examples use them, because
    nobody has these numbers, and so do those of this project: here they pass.
    """
    if not _NINE_DIGITS.fullmatch(number):
        return False
    digits = number.replace("-", "")
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area == "000" or group == "00" or serial == "0000":
        return False
    return kind == "USA_SSN" or (area[0] == "9" and int(group) in _ITIN_GROUPS)
