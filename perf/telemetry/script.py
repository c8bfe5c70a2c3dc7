"""A scripted workload: calls of every kind, each with a trace of its own, and what their client saw."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2
from perf.telemetry.load import traceparent
from perf.telemetry.truth import LOAD_AGENTS, Sent

__all__ = ["Script"]

AGENTS = "ignis.agents.v1.AgentLoaderService"
TELEMETRY = "ignis.telemetry.v1.TelemetryService"
HEALTH = "grpc.health.v1.Health"
WORDS = (
    "PostgreSQL schema",
    "Stripe payments",
    "Next.js storefront",
    "Kubernetes cluster",
    "security review",
    "load tests",
    "mobile app",
    "data pipeline",
    "contract with a supplier",
    "accessibility",
    "incident response",
    "Terraform modules",
    "sourdough bread",
    "threat model",
    "changelog",
)
CALLERS = 10
WATCHES, WATCH_SECONDS = 20, 0.3
# Longer than the deadline of those who ask for it: some 400 ms to be understood and answered.
LONG_BRIEF_SENTENCES, LONG_DEADLINE_SECONDS = 600, 0.1
LATE_CALLS = 5
# What gRPC keeps details of an error under.
DETAILS = "grpc-status-details-bin"


@dataclass(slots=True)
class Script:
    """Makes the calls; `sent` has all of them in the order in which they ended.

    Attributes:
        channel: To the server.
        chance: What the briefs and the ids are drawn from.
        sent: The truth.
        alone: How many of them were made one at a time, with nothing else under way: the first in `sent`.
    """

    channel: grpc.aio.Channel
    chance: random.Random
    sent: list[Sent] = field(default_factory=list)
    alone: int = 0

    async def run(self, *, rounds: int) -> None:
        """Make all calls: first one at a time, then those that are too late, then by ten callers at once."""
        for number in range(1, rounds + 1):
            await self._one_of_each()
            if number % 10 == 0:
                print(f"round {number} of {rounds}, {len(self.sent):,} calls …", flush=True)
        for _ in range(WATCHES):
            await self._streams_given_up()
        self.alone = len(self.sent)
        for number in range(LATE_CALLS):
            await self._too_late(number)
        await asyncio.gather(*(self._many(rounds) for _ in range(CALLERS)))
        for number in range(rounds):
            await self._same_at_once(number)

    async def _one_of_each(self) -> None:
        brief = self._brief()
        for _ in range(3):
            await self._load(pb.LoadAgentsRequest(brief=brief, budget_tokens=6_000))
        await self._conversation()
        await self._refused_loads()
        await self._reading()
        await self._others()

    async def _conversation(self) -> None:
        first = await self._load(pb.LoadAgentsRequest(brief=self._brief(), budget_tokens=20_000))
        if first is None:
            return
        held = pb.HeldBundle(
            epoch_id=first.epoch.id,
            agents=[pb.HeldAgent(id=a.agent.id, digest=a.agent.digest, detail=a.detail) for a in first.bundle.agents],
        )
        prices = pb.TokenPrices(cache_read=0.25, cache_write=1.0)
        await self._load(pb.LoadAgentsRequest(brief=self._brief(), held=held, budget_tokens=20_000, prices=prices))

    async def _refused_loads(self) -> None:
        for request in (
            pb.LoadAgentsRequest(brief=self._brief(), required_agents=["nobody of this name"]),
            pb.LoadAgentsRequest(brief=self._brief(), required_teams=["no team"]),
            pb.LoadAgentsRequest(brief=self._brief(), required_agents=["postgres-dba"], budget_tokens=5),
            pb.LoadAgentsRequest(),
        ):
            await self._load(request)
        await self._unary(LOAD_AGENTS, b"\x0a\x02\xff\xfe")

    async def _reading(self) -> None:
        await self._ask(f"{AGENTS}/SearchAgents", pb.SearchAgentsRequest(query=self._brief()))
        await self._ask(f"{AGENTS}/SearchAgents", pb.SearchAgentsRequest(query="", page_size=-1))
        await self._ask(f"{AGENTS}/GetAgent", pb.GetAgentRequest(agent="postgres-dba"))
        await self._ask(f"{AGENTS}/GetAgent", pb.GetAgentRequest(agent="nobody"))
        await self._ask(f"{AGENTS}/ListAgents", pb.ListAgentsRequest(page_size=5))
        await self._ask(f"{AGENTS}/ListAgents", pb.ListAgentsRequest(page_token="of nobody"))  # noqa: S106 - of a page
        await self._ask(f"{AGENTS}/ListDiagnostics", pb.ListDiagnosticsRequest())
        await self._ask(f"{AGENTS}/GetCatalog", pb.GetCatalogRequest())
        await self._ask(f"{AGENTS}/GetCatalog", pb.GetCatalogRequest(), is_sampled=False)

    async def _others(self) -> None:
        await self._ask("ignis.workflow.v1.WorkflowService/GetRun", workflow_pb2.GetRunRequest())
        await self._ask(f"{TELEMETRY}/GetDeliveryLedger", telemetry_pb2.GetDeliveryLedgerRequest())
        await self._ask(f"{TELEMETRY}/PreviewEgress", telemetry_pb2.PreviewEgressRequest(destination="nobody"))
        await self._unary(f"{HEALTH}/Check", b"")
        await self._stream(f"{AGENTS}/WatchCatalog", pb.WatchCatalogRequest(known_revision="sha256:" + "0" * 64))

    async def _streams_given_up(self) -> None:
        for method in (f"{AGENTS}/WatchCatalog", f"{HEALTH}/Watch"):
            await self._stream(method, None, timeout=WATCH_SECONDS)
            await self._stream(method, None, cancel_after=WATCH_SECONDS)

    async def _too_late(self, number: int) -> None:
        """Ask for more than can be computed in time."""
        sentences = [f"{self._brief()} number {number}." for _ in range(LONG_BRIEF_SENTENCES)]
        request = pb.LoadAgentsRequest(brief="\n\n".join(sentences))
        await self._unary(LOAD_AGENTS, request.SerializeToString(), timeout=LONG_DEADLINE_SECONDS)
        # Answered when that is computed. A deadline that passes before the server has taken a call up leaves nothing there.
        await self._ask(f"{AGENTS}/GetCatalog", pb.GetCatalogRequest())

    async def _many(self, rounds: int) -> None:
        for _ in range(rounds):
            await self._load(pb.LoadAgentsRequest(brief=self.chance.choice(WORDS), budget_tokens=6_000))
            await self._ask(
                f"{AGENTS}/GetAgent", pb.GetAgentRequest(agent=self.chance.choice(["postgres-dba", "nobody"]))
            )
            await self._ask(f"{AGENTS}/SearchAgents", pb.SearchAgentsRequest(query=self._brief()))

    async def _same_at_once(self, number: int) -> None:
        request = pb.LoadAgentsRequest(brief=self._brief(), task=f"ticket {number}", budget_tokens=6_000)
        await asyncio.gather(*(self._load(request) for _ in range(CALLERS)))

    def _brief(self) -> str:
        chosen = self.chance.sample(WORDS, self.chance.randint(1, 3))
        return f"{'; '.join(chosen)} {self.chance.randrange(10**9)}"

    async def _load(self, request: pb.LoadAgentsRequest) -> pb.LoadAgentsResponse | None:
        sent = await self._unary(LOAD_AGENTS, request.SerializeToString())
        return sent.answer

    async def _ask(self, method: str, request: Message, *, is_sampled: bool = True) -> None:
        await self._unary(method, request.SerializeToString(), is_sampled=is_sampled)

    async def _unary(self, method: str, request: bytes, *, timeout: float = 20, is_sampled: bool = True) -> Sent:  # noqa: ASYNC109 - a call's deadline
        calling: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(f"/{method}")

        async def call(metadata: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
            yield await calling(request, metadata=metadata, timeout=timeout)

        return await self._called(method, request, call, is_sampled=is_sampled)

    async def _stream(
        self,
        method: str,
        request: Message | None,
        *,
        timeout: float = 20,  # noqa: ASYNC109 - as above
        cancel_after: float | None = None,
    ) -> Sent:
        body = b"" if request is None else request.SerializeToString()
        calling: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(f"/{method}")

        async def call(metadata: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
            under_way = calling(body, metadata=metadata, timeout=timeout)
            loop = asyncio.get_running_loop()
            handle = None if cancel_after is None else loop.call_later(cancel_after, under_way.cancel)
            try:
                async for response in under_way:
                    yield response
            finally:
                if handle is not None:
                    handle.cancel()

        return await self._called(method, body, call)

    async def _called(
        self,
        method: str,
        request: bytes,
        call: Callable[[tuple[tuple[str, str], ...]], AsyncIterator[bytes]],
        *,
        is_sampled: bool = True,
    ) -> Sent:
        trace_id, span_id = self.chance.randbytes(16), self.chance.randbytes(8)
        metadata = (("traceparent", traceparent(trace_id, span_id, is_sampled=is_sampled)),)
        code, reason, size, answer = "OK", "", 0, b""
        began = time.perf_counter()
        try:
            async for answer in call(metadata):
                size += len(answer)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            reason = _reason(error) or code
        except asyncio.CancelledError:
            # What grpc.aio raises where a stream is read that this client has cancelled.
            code = reason = grpc.StatusCode.CANCELLED.name
        seconds = time.perf_counter() - began
        is_answered = method == LOAD_AGENTS and code == "OK"
        sent = Sent(
            trace_id,
            span_id,
            is_sampled,
            method,
            code,
            reason,
            seconds,
            len(request),
            size,
            pb.LoadAgentsResponse.FromString(answer) if is_answered else None,
            has_given_up=code in {"CANCELLED", "DEADLINE_EXCEEDED"},
        )
        self.sent.append(sent)
        return sent


def _reason(error: grpc.aio.AioRpcError) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""
