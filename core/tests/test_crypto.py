"""A sealed value opens for its own row only."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import crypto

OLD = "k1:" + base64.b64encode(b"1" * 32).decode()
NEW = "k2:" + base64.b64encode(b"2" * 32).decode()


@given(st.binary(max_size=200))
def test_what_is_sealed_can_be_opened_and_read_by_nobody_else(plain):
    sealed = crypto.seal(plain, bound_to="table.column.1")

    assert crypto.unseal(sealed, bound_to="table.column.1") == plain
    assert len(plain) < 4 or plain not in sealed


def test_a_value_moved_to_another_row_does_not_open():
    sealed = crypto.seal(b"078051120", bound_to="table.column.1")

    with pytest.raises(crypto.Unsealable):
        crypto.unseal(sealed, bound_to="table.column.2")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(place, change):
    sealed = bytearray(crypto.seal(b"078051120", bound_to="x"))
    sealed[place % len(sealed)] ^= change

    with pytest.raises(crypto.Unsealable):
        crypto.unseal(bytes(sealed), bound_to="x")


def test_an_empty_value_is_not_a_crash():
    with pytest.raises(crypto.Unsealable):
        crypto.unseal(b"", bound_to="x")


def test_old_keys_open_and_the_newest_seals(settings):
    settings.FIELD_KEYS = [OLD]
    sealed = crypto.seal(b"secret", bound_to="x")
    settings.FIELD_KEYS = [NEW, OLD]

    assert crypto.unseal(sealed, bound_to="x") == b"secret"
    assert crypto.seal(b"secret", bound_to="x")[1:3] == b"k2"


def test_a_blind_index_depends_on_value_purpose_and_key(settings):
    one = crypto.blind_index("078051120", purpose="tax_id")

    assert one == crypto.blind_index("078051120", purpose="tax_id")
    assert one != crypto.blind_index("078051121", purpose="tax_id")
    assert one != crypto.blind_index("078051120", purpose="bank")
    settings.BLIND_INDEX_KEY = "another"
    assert one != crypto.blind_index("078051120", purpose="tax_id")
