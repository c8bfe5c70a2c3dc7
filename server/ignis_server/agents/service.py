"""AgentLoaderService: decode, call the use case, encode."""

from collections.abc import AsyncIterator

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceServicer
from ignis_server.agents.answers import Answered, Answers, Refused
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.recently_used import RecentlyUsed
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.watch import CatalogWatch
from ignis_server.agents.wire import loading, reading, searching, watching

__all__ = ["AgentLoaderService"]

# Requests as they were written, with what they mean: a caller that asks again need not be understood again.
MAX_KNOWN_BYTES = 16 << 20


class AgentLoaderService(AgentLoaderServiceServicer):
    """The agents capability at its gRPC door; the .proto is its manual."""

    def __init__(
        self,
        live: LiveCatalog,
        answers: Answers,
        search: AgentSearch,
        watch: CatalogWatch,
        *,
        default_budget_tokens: int,
    ) -> None:
        self._live = live
        self._answers = answers
        self._search = search
        self._watch = watch
        self._default_budget_tokens = default_budget_tokens
        self._known: RecentlyUsed[bytes, LoadRequest] = RecentlyUsed(max_bytes=MAX_KNOWN_BYTES)

    def _snapshot(self) -> Snapshot:
        return self._live.snapshot

    async def LoadAgents(self, request: bytes, context: object) -> bytes:  # type: ignore[override]  # neither is decoded
        canonical = self._known.get(request) or self._understood(request)
        answer, outcome = await self._answers.answer(canonical, self._live.snapshot)
        match answer:
            case Answered(body):
                return loading.with_outcome(body, outcome)
            case Refused(error):
                # The same error may be raised for several callers; each has a way of its own to here.
                raise error.with_traceback(None)

    def _understood(self, written: bytes) -> LoadRequest:
        request = pb.LoadAgentsRequest.FromString(written)
        canonical = LoadRequest.of(loading.to_project(request), self._default_budget_tokens)
        self._known.put(written, canonical, size=len(written) + len(canonical.packed))
        return canonical

    async def SearchAgents(self, request: pb.SearchAgentsRequest, context: object) -> pb.SearchAgentsResponse:
        page = searching.to_search_page(request, revision=self._snapshot().catalog.revision)
        ranking = self._search.search(page.query, page.filter, start=page.start, limit=page.limit)
        return searching.from_ranking(ranking, page)

    async def GetAgent(self, request: pb.GetAgentRequest, context: object) -> pb.GetAgentResponse:
        snapshot = self._snapshot()
        return reading.from_whole_agent(snapshot.agent(reading.to_agent_reference(request)), snapshot.catalog)

    async def ListAgents(self, request: pb.ListAgentsRequest, context: object) -> pb.ListAgentsResponse:
        return reading.from_agent_page(reading.to_agent_page(request), self._snapshot().catalog)

    async def GetCatalog(self, request: pb.GetCatalogRequest, context: object) -> pb.GetCatalogResponse:
        return reading.from_catalog(self._snapshot(), default_budget_tokens=self._default_budget_tokens)

    async def ListDiagnostics(self, request: pb.ListDiagnosticsRequest, context: object) -> pb.ListDiagnosticsResponse:
        catalog = self._snapshot().catalog
        return reading.from_diagnostic_page(reading.to_diagnostic_page(request, revision=catalog.revision), catalog)

    async def WatchCatalog(
        self, request: pb.WatchCatalogRequest, context: object
    ) -> AsyncIterator[pb.WatchCatalogResponse]:
        async for event in self._watch.events(watching.to_known_revision(request)):
            for response in watching.from_event(event):
                yield response
