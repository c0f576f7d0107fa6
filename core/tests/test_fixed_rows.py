from uuid import UUID

import numpy as np
import pytest
from django.db import connection, transaction

from core.db import fixed_rows

pytestmark = pytest.mark.django_db
COLUMNS = {"key": "uuid", "small": "int4", "large": "int8", "amount": "float8", "is_so": "bool"}


def test_rows_come_back_as_they_were_written():
    written = {
        "key": np.array([UUID(int=n).bytes for n in (1, 2**128 - 1, 256)], dtype="V16"),
        "small": np.array([-1, 0, 2**31 - 1], dtype=np.int32),
        "large": np.array([-(2**63), 7, 2**63 - 1]),
        "amount": np.array([0.1, -0.0, 1e300]),
        "is_so": np.array([True, False, True]),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE told"
            " (key uuid, small int4, large int8, amount float8, is_so bool)"
        )
    fixed_rows.write_rows("told", COLUMNS, written)

    query = "SELECT * FROM told WHERE small < %(most)s"
    read = fixed_rows.read_rows(query, {"most": 2**31 - 1}, COLUMNS)

    assert [UUID(bytes=key.tobytes()).int for key in read["key"]] == [1, 2**128 - 1]
    assert {n: v.tolist() for n, v in read.items() if n != "key"} == {
        n: v[:2].tolist() for n, v in written.items() if n != "key"
    }


def test_no_rows_are_no_rows():
    read = fixed_rows.read_rows("SELECT 1::int4 WHERE false", [], {"number": "int4"})

    assert read["number"].tolist() == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT NULL::int4",
        # Together as wide as two rows without a null are.
        "SELECT n::int4 FROM (VALUES (NULL), (1), (NULL), (NULL), (NULL), (NULL)) AS told (n)",
        "SELECT 1::int8",
    ],
)
def test_what_is_null_or_of_another_width_is_refused(query):
    with pytest.raises(fixed_rows.NotFixed), transaction.atomic():
        fixed_rows.read_rows(query, [], {"number": "int4"})


def test_large_joins_end_with_the_block():
    def setting():
        with connection.cursor() as cursor:
            cursor.execute("SHOW enable_nestloop")
            return cursor.fetchone()[0]

    with transaction.atomic():
        with fixed_rows.large_joins():
            assert setting() == "off"
        assert setting() == "on"
