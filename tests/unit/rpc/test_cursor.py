"""Page tokens."""

import base64
import json

import pytest

from ignis_server.errors import PageTokenInvalid
from ignis_server.rpc.cursor import decode_cursor, encode_cursor


@pytest.mark.parametrize("position", ["", "0", "a/b/c", "späße ✓", "x" * 1_000])
def test_a_token_gives_its_position_back(position: str) -> None:
    token = encode_cursor(position, method="ListAgents", binding="f")

    assert decode_cursor(token, method="ListAgents", binding="f") == position


def test_a_token_of_another_method_is_refused() -> None:
    token = encode_cursor("7", method="SearchAgents", binding="f")

    with pytest.raises(PageTokenInvalid):
        decode_cursor(token, method="ListAgents", binding="f")


def test_a_token_of_another_request_is_refused() -> None:
    token = encode_cursor("7", method="ListAgents", binding="f")

    with pytest.raises(PageTokenInvalid):
        decode_cursor(token, method="ListAgents", binding="g")


@pytest.mark.parametrize(
    "token",
    ["x", "====", "a b", "ü", "W10", "bnVsbA", "e30", "WzEsMl0", "[" * 5_000, "A" * 5_000],
)
def test_a_token_that_nobody_made_is_refused(token: str) -> None:
    with pytest.raises(PageTokenInvalid):
        decode_cursor(token, method="ListAgents", binding="f")


def test_a_token_of_another_version_is_refused() -> None:
    payload = json.loads(base64.urlsafe_b64decode(encode_cursor("7", method="ListAgents", binding="f") + "=="))
    payload[0] = 2
    newer = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()

    with pytest.raises(PageTokenInvalid):
        decode_cursor(newer, method="ListAgents", binding="f")
