"""A handler that has a model do the step, over any endpoint that speaks OpenAI's chat completions (the extra `openai`)."""

import asyncio
import json
import math
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ignis_client.executors._chat import ChatAnswer, messages_of, outputs_of
from ignis_client.executors._sse import EventTooLong, event_data
from ignis_client.values import JsonValue
from ignis_client.worker_step import StepFailed, WorkerStep

if TYPE_CHECKING:
    import httpx2

__all__ = ["OpenAIExecutor"]

DONE: Final = "[DONE]"
CONNECT_SECONDS: Final = 10.0
# Of what an endpoint says about a request that it refuses, enough to see why.
MAX_COMPLAINT_BYTES: Final = 64 << 10
MAX_COMPLAINT_CHARACTERS: Final = 500
# An output may have 1 MiB; what is longer is no answer that could be kept.
MAX_ANSWER_CHARACTERS: Final = 1 << 20
BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_RETRY_AFTER_SECONDS: Final = 24 * 3600


class Busy(Exception):
    """The endpoint takes no request for now.

    Attributes:
        status: The status that it answered with.
        retry_after: How long it asked to wait; None where it did not say.
    """

    def __init__(self, status: int, retry_after: timedelta | None) -> None:
        super().__init__(status, retry_after)
        self.status = status
        self.retry_after = retry_after


class OpenAIExecutor:
    """Does steps by a model: its agents' text is the system prompt, its instruction and inputs are the user's message.

        async with OpenAIExecutor("https://models.internal/v1", "qwen3-coder", api_key=key) as executor:
            await ignis.worker(executor, capabilities=["llm"], concurrency=8).run()

    Where the definition lists several outputs, the model is asked for a JSON object with their names; an answer that is such an
    object is taken apart, any other is the first output as it is.

    An endpoint that is busy (429, 503) is asked again here, up to `max_attempts` times, if it is to be waited for less than
    `max_wait` seconds; otherwise the server is told how long to wait. Attempts of the step fail with these codes:

    - "timeout": no whole answer in time. May be retried.
    - "model-busy", "model-unavailable", "model-connection-lost", "model-answer-cut": may be retried.
    - "model-denied", "model-request-refused", "model-refused", "model-answer-too-long": may not.

    Cancelled, it closes the connection, so that the endpoint stops generating.
    """

    def __init__(  # noqa: PLR0913 - an endpoint has as many facts, all but two by name
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        timeout: float = 300.0,
        max_attempts: int = 3,
        max_wait: float = 30.0,
        parameters: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Make an executor; it connects with the first step. Leave it by `async with` or `close()`.

        Args:
            base_url: Where the endpoint is, up to and without "/chat/completions", such as "http://localhost:11434/v1".
            model: The model, as the endpoint calls it.
            api_key: Sent as a bearer token. Empty: none is.
            timeout: Seconds that a step may take, waits and all.
            max_attempts: Requests for one attempt of a step at most, from 1.
            max_wait: Seconds that a busy endpoint is waited for here, at a time.
            parameters: More of the request, such as {"temperature": 0}.

        Raises:
            ModuleNotFoundError: httpx2 is not installed.
            ValueError: A bound is none.
        """
        if max_attempts < 1 or timeout <= 0:
            raise ValueError(f"{max_attempts} attempts in {timeout:g} s cannot be made")
        self._client = _client(api_key, timeout)
        self._api_key = api_key
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._max_wait = max_wait
        self._parameters = dict(parameters or {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __call__(self, step: WorkerStep) -> Mapping[str, JsonValue]:
        """Do a step.

        Raises:
            StepFailed: The model did not answer, or not usefully.
        """
        import httpx2  # noqa: PLC0415 - it is there: the constructor had it

        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._answer(step)
        except EventTooLong as error:
            raise StepFailed("model-answer-too-long", "an event does not end", retryable=False) from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise StepFailed("timeout", f"no whole answer in {self._timeout:g} s", retryable=True) from error
        except (httpx2.ConnectError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise StepFailed("model-unavailable", f"no connection: {type(error).__name__}", retryable=True) from error
        except httpx2.HTTPError as error:
            raise StepFailed("model-connection-lost", type(error).__name__, retryable=True) from error
        return outputs_of(answer.text, step.definition.outputs)

    async def _answer(self, step: WorkerStep) -> ChatAnswer:
        fetched = {each.step_id: await step.fetch(each) for each in step.references}
        request = {
            **self._parameters,
            "model": self._model,
            "messages": messages_of(step, fetched),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        pause = FIRST_PAUSE_SECONDS
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self._asked(step, request)
            except Busy as busy:
                wait = pause if busy.retry_after is None else busy.retry_after.total_seconds()
                if attempts == self._max_attempts or wait > self._max_wait:
                    message = f"HTTP {busy.status} after {attempts} requests"
                    raise StepFailed("model-busy", message, retryable=True, retry_after=busy.retry_after) from busy
            await step.progress(f"the model is busy, waiting {wait:.0f} s")
            await asyncio.sleep(wait)
            pause *= 2

    async def _asked(self, step: WorkerStep, request: Mapping[str, JsonValue]) -> ChatAnswer:
        """Send a request once, and return the whole of its answer."""
        async with self._client.stream("POST", self._url, json=request) as response:
            if not response.is_success:
                raise await self._failure(response)
            answer = ChatAnswer()
            async with aclosing(event_data(response.aiter_text())) as events:
                async for data in events:
                    if data == DONE:
                        break
                    answer.take(_chunk(data))
                    if answer.usage is not None:
                        step.usage = answer.usage
                    if answer.length > MAX_ANSWER_CHARACTERS:
                        message = f"more than {MAX_ANSWER_CHARACTERS} characters"
                        raise StepFailed("model-answer-too-long", message, retryable=False)
                    await step.progress(f"the model has written {answer.length} characters")
        return _checked(answer)

    async def _failure(self, response: "httpx2.Response") -> Exception:
        status = response.status_code
        if status in BUSY:
            return Busy(status, _retry_after(response.headers.get("retry-after")))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
            return StepFailed("model-unavailable", f"HTTP {status}", retryable=True)
        if status in DENIED:
            # What an endpoint says of a key may show a part of it.
            return StepFailed("model-denied", f"HTTP {status}", retryable=False)
        complaint = await _complaint(response)
        if self._api_key:
            complaint = complaint.replace(self._api_key, "…")
        return StepFailed("model-request-refused", f"HTTP {status}: {complaint}", retryable=False)


def _client(api_key: str, timeout: float) -> "httpx2.AsyncClient":
    try:
        import httpx2  # noqa: PLC0415 - callers of the client need not have it
    except ModuleNotFoundError as error:
        message = "httpx2 is not installed: pip install 'ignis-agents[openai]'"
        raise ModuleNotFoundError(message, name="httpx2") from error
    headers = {"accept": "text/event-stream"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    # Workers bound how many requests there are at a time; a pool that is smaller would only hide it.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    times = httpx2.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
    return httpx2.AsyncClient(headers=headers, timeout=times, limits=limits)


def _chunk(data: str) -> Mapping[str, JsonValue]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StepFailed("model-answer-cut", "an event is no JSON", retryable=True) from error
    if not isinstance(chunk, dict):
        raise StepFailed("model-answer-cut", "an event is no JSON object", retryable=True)
    if "error" in chunk:
        raise StepFailed("model-unavailable", "the endpoint failed in the middle of an answer", retryable=True)
    return chunk


def _checked(answer: ChatAnswer) -> ChatAnswer:
    """Return an answer that is whole.

    Raises:
        StepFailed: It is not.
    """
    if answer.refusal or answer.finish_reason == "content_filter":
        raise StepFailed("model-refused", answer.refusal or "its content filter", retryable=False)
    if answer.finish_reason == "length":
        raise StepFailed("model-answer-too-long", "the model's limit of tokens was met", retryable=False)
    if not answer.finish_reason:
        raise StepFailed("model-answer-cut", "the answer ended before it was finished", retryable=True)
    return answer


def _retry_after(value: str | None) -> timedelta | None:
    """Return what a Retry-After header asks for, which is a number of seconds or a date; None where it is neither."""
    text = (value or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if seconds >= 0:
        return timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER_SECONDS))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(timedelta(), (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC))


async def _complaint(response: "httpx2.Response") -> str:
    """Return what an endpoint says of a request that it refuses, in the words meant for people where they are found."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_COMPLAINT_BYTES:
            break
    text = bytes(body[:MAX_COMPLAINT_BYTES]).decode("utf-8", "replace")
    try:
        said = json.loads(text)["error"]["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        said = text
    return str(said)[:MAX_COMPLAINT_CHARACTERS]
