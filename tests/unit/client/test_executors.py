"""Executors: what becomes of a step, by echo and by a model's endpoint that speaks OpenAI's protocol over a real socket."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from ignis_client import (
    AgentBundle,
    Answer,
    Approval,
    ClaimedStep,
    Effect,
    InputAnswer,
    JsonValue,
    Lease,
    OutputReference,
    Rejection,
    RetryPolicy,
    StepDefinition,
    StepFailed,
    TokenUsage,
    WorkerStep,
)
from ignis_client.executors.echo import echo
from ignis_client.executors.openai import OpenAIExecutor
from support.openai_server import Chat, Fault, OpenAIServer, openai_server

DEFINITION = StepDefinition(
    id="draft",
    agent="writer",
    instruction="Write a poem.",
    needs=(),
    when="",
    for_each="",
    requires_approval=False,
    optional=False,
    effect=Effect.NONE,
    retry=RetryPolicy(3, timedelta(seconds=1), timedelta(seconds=9), 2.0),
    timeout=timedelta(minutes=10),
    outputs=("poem",),
    capabilities=(),
    executor="",
    selects_agent=False,
    question=None,
    is_milestone=False,
    inputs={},
    approval_prompt="",
    approval_timeout=None,
)
CLAIMED = ClaimedStep(
    lease=Lease("run-1", "draft", 1, "w-1", datetime(2026, 1, 1, tzinfo=UTC)),
    definition=DEFINITION,
    inputs={},
    item=None,
    bundle=AgentBundle("sha256:00", "You are a poet.", 4, ("writer@12",)),
    trace_context={},
    answers=(),
    idempotency_key="key",
    references=(),
)


def step_of(claimed: ClaimedStep = CLAIMED, told: list[str] | None = None) -> WorkerStep:
    """Return a step in hand, as a worker makes it."""
    told = [] if told is None else told

    async def fetch(reference: OutputReference) -> Mapping[str, JsonValue]:
        return {"fetched": reference.step_id}

    return WorkerStep(claimed, told.append, fetch)


def with_outputs(*names: str) -> ClaimedStep:
    return replace(CLAIMED, definition=replace(DEFINITION, outputs=names))


@pytest.fixture
async def endpoint() -> AsyncIterator[OpenAIServer]:
    async with openai_server() as server:
        yield server


@pytest.fixture
async def model(endpoint: OpenAIServer) -> AsyncIterator[OpenAIExecutor]:
    async with OpenAIExecutor(endpoint.base_url, "poet-1", api_key="key-1", parameters={"temperature": 0}) as executor:
        yield executor


async def failure_of(model: OpenAIExecutor, step: WorkerStep | None = None) -> StepFailed:
    """Return how a step fails."""
    with pytest.raises(StepFailed) as caught:
        await model(step or step_of())
    return caught.value


async def test_echo_says_what_was_asked() -> None:
    assert await echo(step_of()) == {"poem": "Step draft, attempt 1, asked writer@12: Write a poem."}


async def test_echo_makes_every_output_that_is_listed() -> None:
    outputs = await echo(step_of(with_outputs("a", "b")))

    assert outputs.keys() == {"a", "b"}
    assert len(set(map(str, outputs.values()))) == 2


async def test_echo_has_something_to_say_of_nothing() -> None:
    nothing = replace(
        CLAIMED, definition=replace(DEFINITION, outputs=(), instruction=""), bundle=AgentBundle("", "", 0, ())
    )

    assert await echo(step_of(nothing)) == {
        "text": "Step draft, attempt 1, asked nobody in particular: nothing in words"
    }


async def test_a_streamed_answer_is_put_together(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    told: list[str] = []
    endpoint.script(Chat(["Roses ", "are ", "röd"]))

    outputs = await model(step_of(told=told))

    assert outputs == {"poem": "Roses are röd"}
    assert told[-1] == "the model has written 13 characters"


async def test_a_request_says_who_the_model_is_and_what_to_do(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    endpoint.script(Chat(["x"]))

    await model(step_of())

    (asked,) = endpoint.asked
    assert (asked.path, asked.headers["authorization"]) == ("/v1/chat/completions", "Bearer key-1")
    assert asked.body == {
        "model": "poet-1",
        "messages": [
            {"role": "system", "content": "You are a poet."},
            {"role": "user", "content": "Write a poem."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }


async def test_a_request_holds_all_that_the_step_is_done_with(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    endpoint.script(Chat(["x"]))
    answers = (
        InputAnswer("a", Approval("good")),
        InputAnswer("b", Rejection("too long")),
        InputAnswer("c", Answer({"rhyme": True})),
        InputAnswer("d", None),
        InputAnswer("e", Approval()),
    )
    claimed = replace(
        with_outputs("poem", "title"),
        inputs={"topic": "søen"},
        item=["one", 2],
        answers=answers,
        references=(OutputReference("plan", "sha256:00", 9),),
        bundle=AgentBundle("", "", 0, ()),
    )

    await model(step_of(claimed))

    (message,) = endpoint.asked[0].body["messages"]
    assert message["role"] == "user"
    for part in (
        "Write a poem.",
        '"topic": "søen"',
        '"fetched": "plan"',
        '"one",\n 2',
        "- approved: good",
        "- rejected: too long",
        '"rhyme": true',
        "too old to know",
        "- approved\n",
        "Its keys are: poem, title.",
    ):
        assert part in message["content"] + "\n"


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ('{"poem": "p", "lines": 3, "more": 1}', {"poem": "p", "lines": 3}),
        ('```json\n{"poem": "p", "lines": [1]}\n```', {"poem": "p", "lines": [1]}),
        ('{"poem": "p"}', {"poem": '{"poem": "p"}'}),
        ('{"poem": NaN, "lines": 1}', {"poem": '{"poem": NaN, "lines": 1}'}),
        ("Roses", {"poem": "Roses"}),
        ("[" * 100_000, {"poem": "[" * 100_000}),
        ("", {"poem": ""}),
    ],
)
async def test_an_object_with_all_outputs_is_taken_apart(
    text: str, outputs: Mapping[str, JsonValue], endpoint: OpenAIServer, model: OpenAIExecutor
) -> None:
    endpoint.script(Chat([text]))

    assert await model(step_of(with_outputs("poem", "lines"))) == outputs


async def test_a_step_without_outputs_makes_a_text(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    endpoint.script(Chat(['{"text": "x"}']))

    assert await model(step_of(with_outputs())) == {"text": '{"text": "x"}'}


async def test_usage_is_told(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    details = {"cached_tokens": 30}
    endpoint.script(
        Chat(
            ["x"], usage={"prompt_tokens": 40, "completion_tokens": 2, "prompt_tokens_details": details}, is_done=False
        )
    )
    step = step_of()

    await model(step)

    assert step.usage == TokenUsage(input_tokens=40, output_tokens=2, cache_read_tokens=30)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": None}])
async def test_usage_that_makes_no_sense_counts_nothing(
    usage: Mapping[str, Any], endpoint: OpenAIServer, model: OpenAIExecutor
) -> None:
    endpoint.script(Chat(["x"], usage=usage))
    step = step_of()

    await model(step)

    assert step.usage == TokenUsage()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_endpoint_is_asked_again_when_it_says(
    status: int, endpoint: OpenAIServer, model: OpenAIExecutor
) -> None:
    endpoint.script(Fault(status, {"Retry-After": "0"}), Fault(status, {"Retry-After": "0.1"}), Chat(["at last"]))

    assert await model(step_of()) == {"poem": "at last"}
    assert len(endpoint.asked) == 3


async def test_a_busy_endpoint_that_does_not_say_is_given_a_second(
    endpoint: OpenAIServer, model: OpenAIExecutor
) -> None:
    endpoint.script(Fault(429, {"Retry-After": "soon"}), Chat(["at last"]))
    began = time.monotonic()

    assert await model(step_of()) == {"poem": "at last"}
    assert time.monotonic() - began >= 1


async def test_an_endpoint_that_is_busy_for_long_is_left_to_the_server(
    endpoint: OpenAIServer, model: OpenAIExecutor
) -> None:
    endpoint.script(Fault(429, {"Retry-After": "120"}))

    failed = await failure_of(model)

    assert (failed.code, failed.retryable, failed.retry_after) == ("model-busy", True, timedelta(minutes=2))
    assert len(endpoint.asked) == 1


async def test_a_retry_after_may_be_a_date(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    endpoint.script(Fault(503, {"Retry-After": date}))

    failed = await failure_of(model)

    assert failed.retry_after is not None
    assert 290 < failed.retry_after.total_seconds() <= 300


async def test_an_endpoint_that_stays_busy_is_asked_three_times(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    endpoint.script(Fault(429, {"Retry-After": "0"}))

    failed = await failure_of(model)

    assert (failed.code, failed.message) == ("model-busy", "HTTP 429 after 3 requests")
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (Fault(500, body=b"boom"), "model-unavailable", True),
        (Fault(502), "model-unavailable", True),
        (Fault(408), "model-unavailable", True),
        (Fault(401, body=b"key-1 is wrong"), "model-denied", False),
        (Fault(400, body=b"Bearer key-1 was not expected"), "model-request-refused", False),
        (Fault(403), "model-denied", False),
        (Fault(404, body=b'{"error": {"message": "no model poet-1"}}'), "model-request-refused", False),
        (Fault(400, body=b"\xff" * 200_000), "model-request-refused", False),
        (Fault(307, {"Location": "http://elsewhere/"}), "model-request-refused", False),
    ],
)
async def test_statuses_say_whether_to_try_again(
    fault: Fault,
    code: str,
    retryable: bool,  # noqa: FBT001 - expected
    endpoint: OpenAIServer,
    model: OpenAIExecutor,
) -> None:
    endpoint.script(fault)

    failed = await failure_of(model)

    assert (failed.code, failed.retryable) == (code, retryable)
    assert "key-1" not in str(failed)
    assert len(endpoint.asked) == 1


async def test_what_an_endpoint_says_for_people_is_passed_on(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    endpoint.script(Fault(404, body=json.dumps({"error": {"message": "no model poet-1"}}).encode()))

    assert (await failure_of(model)).message == "HTTP 404: no model poet-1"


@pytest.mark.parametrize(
    ("chat", "code", "retryable"),
    [
        (Chat(["a", "b"], cut_after=1), "model-connection-lost", True),
        (Chat(["a"], cut_after=1), "model-connection-lost", True),
        (Chat(["a"], finish_reason=None), "model-answer-cut", True),
        (Chat(["a"], finish_reason="length"), "model-answer-too-long", False),
        (Chat(["a"], finish_reason="content_filter"), "model-refused", False),
        (Chat(refusal="I may not."), "model-refused", False),
        (Chat(["a"] * 2 + ["x" * (1 << 20)]), "model-answer-too-long", False),
        (Chat(raw=["data: {broken"]), "model-answer-cut", True),
        (Chat(raw=["data: [1]"]), "model-answer-cut", True),
        (Chat(raw=["data: " + "x" * (5 << 20)]), "model-answer-too-long", False),
        (Chat(raw=['data: {"error": {"message": "out of memory"}}']), "model-unavailable", True),
    ],
)
async def test_an_answer_that_is_not_whole_is_none(
    chat: Chat,
    code: str,
    retryable: bool,  # noqa: FBT001 - expected
    endpoint: OpenAIServer,
    model: OpenAIExecutor,
) -> None:
    endpoint.script(chat)

    failed = await failure_of(model)

    assert (failed.code, failed.retryable) == (code, retryable)


async def test_chunks_that_say_nothing_are_passed_over(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    odd = ['data: {"choices": [{"delta": null}]}', 'data: {"choices": [3]}', "event: ping", "data:\ndata: {}", "id: 7"]
    endpoint.script(Chat(["whole"], raw=odd))

    assert await model(step_of()) == {"poem": "whole"}


async def test_an_answer_that_takes_too_long_is_given_up(endpoint: OpenAIServer) -> None:
    endpoint.script(Chat(["slowly "] * 100, seconds=0.05))

    async with OpenAIExecutor(endpoint.base_url, "poet-1", timeout=0.3) as model:
        failed = await failure_of(model)
        async with asyncio.timeout(5):
            await endpoint.disconnected.wait()

    assert (failed.code, failed.message, failed.retryable) == ("timeout", "no whole answer in 0.3 s", True)


async def test_a_silent_endpoint_is_given_up(endpoint: OpenAIServer) -> None:
    endpoint.script(Chat(["a", "b"], hang_after=1))

    async with OpenAIExecutor(endpoint.base_url, "poet-1", timeout=0.3) as model:
        assert (await failure_of(model)).code == "timeout"


async def test_cancellation_closes_the_connection(endpoint: OpenAIServer, model: OpenAIExecutor) -> None:
    """Or the endpoint would go on generating, and charging."""
    endpoint.script(Chat(["a", "b"], hang_after=1))
    task = asyncio.create_task(model(step_of()))
    async with asyncio.timeout(5):
        await endpoint.began.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await endpoint.disconnected.wait()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "ftp://127.0.0.1/v1", "nowhere"])
async def test_an_endpoint_that_is_not_there_is_unavailable(url: str) -> None:
    async with OpenAIExecutor(url, "poet-1") as model:
        failed = await failure_of(model)

    assert (failed.code, failed.retryable) == ("model-unavailable", True)


async def test_no_key_is_sent_where_there_is_none(endpoint: OpenAIServer) -> None:
    endpoint.script(Chat(["x"]))

    async with OpenAIExecutor(endpoint.base_url + "/", "poet-1") as model:
        await model(step_of())

    assert "authorization" not in endpoint.asked[0].headers
    assert endpoint.asked[0].path == "/v1/chat/completions"


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"max_attempts": 0}])
def test_bounds_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        OpenAIExecutor("http://x/v1", "m", **wrong)


def test_who_has_no_httpx_is_told_what_to_install() -> None:
    script = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from ignis_client.executors.openai import OpenAIExecutor\n"
        "try: OpenAIExecutor('http://x/v1', 'm')\n"
        "except ModuleNotFoundError as error: print(error)"
    )

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=60).stdout

    assert said == "httpx2 is not installed: pip install 'ignis-agents[openai]'\n"
