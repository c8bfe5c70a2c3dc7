"""Page tokens: opaque to callers, versioned, and bound to the request that they continue."""

import base64
import hashlib
import json

from ignis_server.errors import PageTokenInvalid

__all__ = ["decode_cursor", "encode_cursor"]

VERSION = 1
# A position may be an id of 1,024 characters of four bytes each.
MAX_TOKEN_CHARACTERS = 8_192


def encode_cursor(position: str, *, method: str, binding: str) -> str:
    """Return a token for a position in the list that a method gives for a request.

    `binding` is whatever of the request must stay the same from page to page. The token holds no secret and
    is not signed: whoever decodes it checks that the position is one that a caller may ask for.
    """
    payload = json.dumps([VERSION, _seal(method, binding), position], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")


def decode_cursor(token: str, *, method: str, binding: str) -> str:
    """Return the position that a token stands for.

    Raises:
        PageTokenInvalid: The token is not one of this server's, or was made for another request.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise PageTokenInvalid(method)
    try:
        payload = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise PageTokenInvalid(method) from error
    match payload:
        case [version, seal, str(position)] if version == VERSION and seal == _seal(method, binding):
            return position
        case _:
            raise PageTokenInvalid(method)


def _seal(method: str, binding: str) -> str:
    return hashlib.sha256(f"{method}\0{binding}".encode()).hexdigest()[:16]
