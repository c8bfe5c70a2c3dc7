"""Bearer tokens by a client's own credentials (RFC 6749, 4.4): fetched before they are needed, and when one is not taken."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus

import httpx2

from ignis_server.clock import Clock
from ignis_server.telemetry.delivery.credentials import CredentialsUnusable, bearer
from ignis_server.telemetry.delivery.destination import OAuth2, TlsFiles
from ignis_server.telemetry.delivery.tls import TlsUnusable, ssl_context
from ignis_server.telemetry.delivery.transport import tidied

__all__ = ["ClientCredentials"]

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 << 10
# Servers should say how long a token is good for; where one does not, it is assumed to be a short time.
ASSUMED_SECONDS = 300.0
# A token is renewed when a fifth of its life is left, or a minute: time to try again should the server be away.
EARLY_SHARE = 0.2
EARLY_SECONDS = 60.0
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Token:
    headers: Mapping[str, str]
    renew_at: float
    expires_at: float


class ClientCredentials:
    """Keeps a token, and renews it before it expires; while the server is away, the one there is goes on to its end."""

    def __init__(self, settings: OAuth2, clock: Clock, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._token: _Token | None = None
        self._retry_at = clock.elapsed_seconds()
        # Requests that need a token at once wait for the same.
        self._fetching = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """Return the header with a token.

        Raises:
            CredentialsUnusable: There is none that is still good, and none can be had.
        """
        async with self._fetching:
            now = self._clock.elapsed_seconds()
            if self._token is None or now >= self._token.expires_at:
                self._token = await self._fetched()
            elif now >= max(self._token.renew_at, self._retry_at):
                try:
                    self._token = await self._fetched()
                except CredentialsUnusable:
                    self._retry_at = now + RETRY_SECONDS
            return self._token.headers

    def doubt(self) -> None:
        """Forget the token."""
        self._token = None

    async def _fetched(self) -> _Token:
        settings = self._settings
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return self._understood(*await self._answer())
        except (TimeoutError, httpx2.TimeoutException):
            raise CredentialsUnusable(f"{settings.token_url} did not answer in {self._timeout_seconds:g} s") from None
        except httpx2.HTTPError as error:
            raise CredentialsUnusable(f"{settings.token_url} cannot be reached: {tidied(str(error))}") from None
        except TlsUnusable as error:
            raise CredentialsUnusable(str(error)) from None
        except OSError as error:
            message = f"cannot read {settings.client_secret_file}: {error.strerror or type(error).__name__}"
            raise CredentialsUnusable(message) from None
        except ValueError as error:
            raise CredentialsUnusable(f"{settings.token_url}: {error}") from None

    async def _answer(self) -> tuple[int, bytes]:
        settings = self._settings
        secret = (await asyncio.to_thread(settings.client_secret_file.read_text, encoding="utf-8")).strip()
        fields = {"grant_type": "client_credentials", "scope": settings.scope, "audience": settings.audience}
        headers = {"accept": "application/json"}
        if settings.is_secret_in_body:
            fields |= {"client_id": settings.client_id, "client_secret": secret}
        else:
            # Encoded as fields of a form first (RFC 6749, 2.3.1).
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        context = await asyncio.to_thread(ssl_context, TlsFiles(ca=settings.ca))
        form = {name: value for name, value in fields.items() if value}
        async with (
            httpx2.AsyncClient(verify=context, timeout=self._timeout_seconds) as client,
            client.stream("POST", settings.token_url, data=form, headers=headers) as response,
        ):
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError(f"answered with more than {MAX_ANSWER_BYTES} bytes")
            return response.status_code, body

    def _understood(self, status: int, body: bytes) -> _Token:
        try:
            answer: Any = json.loads(body)
        except ValueError:
            answer = {}
        fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        if status != HTTPStatus.OK:
            raise ValueError(f"answered {status}{_said(fields.get('error'))}")
        token, kind = fields.get("access_token"), fields.get("token_type", "bearer")
        if not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise ValueError("answered without a bearer token")
        seconds = _seconds(fields.get("expires_in"))
        now = self._clock.elapsed_seconds()
        return _Token(bearer(token), now + seconds - min(EARLY_SECONDS, EARLY_SHARE * seconds), now + seconds)


def _said(error: object) -> str:
    return f" {tidied(error)}" if isinstance(error, str) else ""


def _seconds(expires_in: object) -> float:
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return ASSUMED_SECONDS
    return seconds if seconds > 0 else ASSUMED_SECONDS
