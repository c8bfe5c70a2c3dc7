"""Sealed values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.cache.seal import sealed, unsealed


@given(st.binary())
def test_what_was_sealed_comes_back(content: bytes) -> None:
    assert unsealed(sealed(content)) == content


@given(st.binary(max_size=64))
def test_what_others_wrote_is_not_ours(value: bytes) -> None:
    assert unsealed(value) is None


@given(st.binary(max_size=64), st.data())
def test_no_changed_byte_goes_unnoticed(content: bytes, data: st.DataObject) -> None:
    value = bytearray(sealed(content))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))

    assert unsealed(bytes(value)) is None


@pytest.mark.parametrize("size", [0, 3, 19, 20, 24])
def test_what_was_cut_short_is_not_whole(size: int) -> None:
    assert unsealed(sealed(b"content")[:size]) is None
