"""The chain around handlers of all four shapes: what interceptors see is what the client sees."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from ignis_server.rpc.call import Call, current_call
from support.shapes import SHAPES, call, shapes_served


class Recorder:
    """Keeps the calls that ended, each of which was the current one of its task from its start."""

    def __init__(self) -> None:
        self.ended: list[Call] = []
        self.has_ended = asyncio.Event()

    def concerns(self, method: str) -> bool:
        return bool(method)

    def call_started(self, call: Call) -> None:
        """Find the call, as its handler will."""
        assert current_call() is call

    def call_finished(self, call: Call) -> None:
        """Keep the call."""
        assert current_call() is call
        self.ended.append(call)
        self.has_ended.set()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def channel(recorder: Recorder) -> AsyncIterator[grpc.aio.Channel]:
    async with shapes_served([recorder]) as opened:
        yield opened


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_ends_well_is_ok(channel: grpc.aio.Channel, recorder: Recorder, shape: str) -> None:
    assert await call(channel, shape, "hello") == "hello"

    await recorder.has_ended.wait()
    assert [(each.method, each.code) for each in recorder.ended] == [(f"/test.Shapes/{shape}", grpc.StatusCode.OK)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("foreseen", grpc.StatusCode.NOT_FOUND),
        ("unforeseen", grpc.StatusCode.INTERNAL),
        ("abort", grpc.StatusCode.DATA_LOSS),
        ("set", grpc.StatusCode.OUT_OF_RANGE),
        (b"\x0a\x02\xff\xfe", grpc.StatusCode.INVALID_ARGUMENT),
        (b"\x0a", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_the_code_recorded_is_the_code_the_client_saw(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str, word: str | bytes, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, word)

    await recorder.has_ended.wait()
    assert caught.value.code() is code
    assert [each.code for each in recorder.ended] == [code]


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_unforeseen_error_tells_the_client_an_id_and_nothing_else(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "unforeseen")

    failure = recorder.ended[0].failure
    assert failure is not None
    assert failure.metadata["error_id"] in (caught.value.details() or "")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_whose_deadline_passes_is_finished(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "wait", seconds=0.5)

    await recorder.has_ended.wait()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_handler_that_computes_past_the_deadline_has_not_succeeded(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "compute", seconds=0.5)

    await recorder.has_ended.wait()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_the_client_cancels_is_finished(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    task = asyncio.create_task(call(channel, shape, "wait"))
    await asyncio.sleep(0.2)

    task.cancel()

    await recorder.has_ended.wait()
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.CANCELLED]
    with pytest.raises(asyncio.CancelledError):
        await task
