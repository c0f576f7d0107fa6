"""The shapes of the numbers by which states know their taxpayers."""

import pytest
from alpaca.broker.enums import TaxIdType

from sandbox.broker import tax_ids


def test_every_type_of_the_real_client_is_known():
    assert {kind.value for kind in TaxIdType} == tax_ids.TYPES


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("USA_SSN", "123-45-6789"),
        ("USA_SSN", "666554321"),
        ("USA_ITIN", "912-78-4321"),
        ("BRA_CPF", "123.456.789-09"),
        ("CHL_RUT", "12.345.678-k"),
        ("DEU_TAX_ID", "12 345 678 901"),
        ("GBR_NINO", "QQ 12 34 56 C"),
        ("IND_PAN", "ABCDE1234F"),
        ("SGP_FIN", "G1234567X"),
        ("SWE_TAX_ID", "811218-9876"),
        ("PASSPORT", "X12"),
        ("NOT_SPECIFIED", "AB"),
    ],
)
def test_a_number_of_the_right_shape_is_taken(kind, number):
    assert tax_ids.is_plausible(kind, number)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("USA_SSN", "000-12-3456"),
        ("USA_SSN", "123-00-4567"),
        ("USA_SSN", "123-45-0000"),
        ("USA_SSN", "333-33-3333"),
        ("USA_SSN", "123-456-789"),
        ("USA_SSN", "１２３４５６７８９"),
        ("USA_ITIN", "812-78-4321"),
        ("USA_ITIN", "912-93-4321"),
        ("DEU_TAX_ID", "1234567890"),
        ("GBR_NINO", "QQ123456E"),
        ("PASSPORT", "7"),
        ("PASSPORT", "7777"),
        ("OTHER_GOV_ID", " - "),
    ],
)
def test_another_is_not(kind, number):
    assert not tax_ids.is_plausible(kind, number)
