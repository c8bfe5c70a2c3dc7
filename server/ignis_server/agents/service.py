"""AgentLoaderService: decode, call the use case, encode."""

from collections.abc import AsyncIterator, Callable

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceServicer
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.wire import loading, reading, searching
from ignis_server.errors import MethodUnavailable

__all__ = ["AgentLoaderService"]


class AgentLoaderService(AgentLoaderServiceServicer):
    """The agents capability at its gRPC door; the .proto is its manual."""

    def __init__(self, snapshot: Callable[[], Snapshot], loader: AgentLoader, search: AgentSearch) -> None:
        self._snapshot = snapshot
        self._loader = loader
        self._search = search

    async def LoadAgents(self, request: pb.LoadAgentsRequest, context: object) -> pb.LoadAgentsResponse:
        return loading.from_loaded(self._loader.load(loading.to_project(request)))

    async def SearchAgents(self, request: pb.SearchAgentsRequest, context: object) -> pb.SearchAgentsResponse:
        page = searching.to_search_page(request, revision=self._snapshot().catalog.revision)
        ranking = self._search.search(page.query, page.filter, start=page.start, limit=page.limit)
        return searching.from_ranking(ranking, page)

    async def GetAgent(self, request: pb.GetAgentRequest, context: object) -> pb.GetAgentResponse:
        catalog = self._snapshot().catalog
        return reading.from_whole_agent(catalog.agent(reading.to_agent_reference(request)), catalog)

    async def ListAgents(self, request: pb.ListAgentsRequest, context: object) -> pb.ListAgentsResponse:
        return reading.from_agent_page(reading.to_agent_page(request), self._snapshot().catalog)

    async def GetCatalog(self, request: pb.GetCatalogRequest, context: object) -> pb.GetCatalogResponse:
        return reading.from_catalog(self._snapshot(), default_budget_tokens=self._loader.default_budget_tokens)

    async def ListDiagnostics(self, request: pb.ListDiagnosticsRequest, context: object) -> pb.ListDiagnosticsResponse:
        catalog = self._snapshot().catalog
        return reading.from_diagnostic_page(reading.to_diagnostic_page(request, revision=catalog.revision), catalog)

    async def WatchCatalog(
        self, request: pb.WatchCatalogRequest, context: object
    ) -> AsyncIterator[pb.WatchCatalogResponse]:
        raise MethodUnavailable("/ignis.agents.v1.AgentLoaderService/WatchCatalog")
        yield
