"""The client: a method for each thing that a caller can ask of an Ignis server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Self

import grpc

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceStub
from ignis.telemetry.v1 import telemetry_pb2
from ignis.telemetry.v1.telemetry_pb2_grpc import TelemetryServiceStub
from ignis_client import _delivery_wire, _wire
from ignis_client._caller import Caller
from ignis_client._channel import open_channel, to_metadata
from ignis_client._watch import watched
from ignis_client.agents import Agent, AgentFormat, AgentSummary, SearchResult
from ignis_client.bundle import DetailLevel
from ignis_client.catalog import Catalog, CatalogChange
from ignis_client.delivery import DeliveryLedger, EgressBatch, TelemetrySignal, Verification
from ignis_client.diagnostics import Diagnostic, Severity
from ignis_client.epoch import HeldBundle
from ignis_client.errors import Failure, Unavailable
from ignis_client.loaded import Loaded
from ignis_client.savings import TokenPrices
from ignis_client.session import Session
from ignis_client.worker import Worker
from ignis_client.worker_step import Handler
from ignis_client.workflows import Workflows

__all__ = ["IgnisClient"]

# A description is 300 bytes as a rule and at most 32 KiB, so a page is some 100 KB, and 7 MB at worst.
LIST_PAGE_SIZE = 200

# The most that a server returns at once.
MAX_SEARCH_PAGE_SIZE = 100


class IgnisClient:
    """A client of one server, or of one address with many servers behind it.

    Make one for each address, keep it, and share it between tasks: it holds one connection, which opens with
    the first call and mends itself. Make it where an event loop runs; leave it by `async with` or `close()`.

    Every call has a deadline: `timeout` seconds from its start, retries included. A call that finds no server
    (UNAVAILABLE) is tried up to four times, about 0.1, 0.2 and 0.4 s apart; `verify_delivery` is tried once. Nothing else is
    retried.

    Where OpenTelemetry is installed (the extra `otel`), calls carry `traceparent` and `tracestate` of the current span, so that
    the server's spans are its children.

    Every method raises an IgnisError where a call does not end well, mostly a subclass that says what to do,
    and ValueError or TypeError, without a call, for arguments that no request can hold.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        allow_insecure_authorization: bool = False,
    ) -> None:
        """Make a client; it connects with the first call.

        Args:
            target: Where the server is, such as "localhost:50051" or "dns:///ignis.internal:50051".
            credentials: For TLS, as of grpc.ssl_channel_credentials(). None: the connection is not encrypted.
            metadata: Sent with every call, such as {"authorization": "Bearer …"}.
            timeout: Seconds that a call may take if it does not say otherwise.
            allow_insecure_authorization: Send `authorization` to other machines without `credentials`, where
                something else encrypts the connection, such as a service mesh.

        Raises:
            RuntimeError: No event loop runs.
            ValueError: The timeout is no limit, or there is an authorization that others could read.
        """
        # Without one, gRPC would take a loop of its own making, and every call would wait for it in vain.
        asyncio.get_running_loop()
        sent = to_metadata(
            metadata or {},
            target=target,
            may_show_authorization=credentials is not None or allow_insecure_authorization,
        )
        self._caller = Caller(sent, timeout)
        self._target = target
        self._channel = open_channel(target, credentials)
        self._agents = AgentLoaderServiceStub(self._channel)
        self._telemetry = TelemetryServiceStub(self._channel)
        self._workflows = Workflows(self._channel, self._caller)

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
        """Close the connection, at once.

        Calls under way raise asyncio.CancelledError where they are awaited, later ones grpc.aio.UsageError.
        """
        await self._channel.close()

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the connection stands, however often it is refused: for the start of an application.

        Raises:
            Unavailable: It does not stand after `timeout` seconds.
        """
        seconds = self._caller.seconds(timeout)
        try:
            async with asyncio.timeout(seconds):
                await self._channel.channel_ready()
        except TimeoutError as error:
            message = f"no connection to {self._target} after {seconds:g} s"
            raise Unavailable(Failure(message, grpc.StatusCode.UNAVAILABLE)) from error

    @property
    def workflows(self) -> Workflows:
        """What there is to do with workflows: start and watch runs, answer for people, and do steps."""
        return self._workflows

    def worker(  # noqa: PLR0913 - as many as a claim has facts, all but the first by name
        self,
        handler: Handler,
        *,
        agents: Iterable[str] = (),
        capabilities: Iterable[str] = (),
        run_id: str = "",
        concurrency: int = 1,
        lease: float = 30.0,
        wait: float = 20.0,
        worker_id: str = "",
    ) -> Worker:
        """Make a worker, which does the steps of workflows while its `run` runs, over this client's connection.

        Args:
            handler: Does a step: is called with it in a task of its own, and returns the output by name.
            agents: Do only steps of these agents, by id or unique name. At most 128. Empty: of any agent.
            capabilities: What the handler can do, the executors that it is included. At most 64.
            run_id: Do only steps of this run. Empty: of any.
            concurrency: The most steps to have in hand at a time, from 1.
            lease: Seconds without a heartbeat after which the server gives a step to another, 5 to 3,600.
            wait: Seconds that one call waits for a step, at most 60.
            worker_id: Unique among the workers that run at the same time, 1 to 128 characters. Empty: a new UUID.

        Raises:
            TypeError: The agents or the capabilities are one string.
            ValueError: The concurrency is below 1, or a time is none.
        """
        return Worker(
            self._workflows,
            handler,
            agents=agents,
            capabilities=capabilities,
            run_id=run_id,
            concurrency=concurrency,
            lease=lease,
            wait=wait,
            worker_id=worker_id,
        )

    async def load_agents(  # noqa: PLR0913 - a request has as many facts, all but the first by name
        self,
        brief: str = "",
        *,
        task: str = "",
        tags: Iterable[str] = (),
        required_agents: Iterable[str] = (),
        required_teams: Iterable[str] = (),
        forbidden_agents: Iterable[str] = (),
        formats: Iterable[AgentFormat] = (),
        categories: Iterable[str] = (),
        budget_tokens: int | None = None,
        min_recall: float | None = None,
        max_detail: DetailLevel = DetailLevel.FULL,
        prices: TokenPrices | None = None,
        held: HeldBundle | None = None,
        timeout: float | None = None,
    ) -> Loaded:
        """Load the agents that a project needs, as one bundle within a budget.

        At least one of `brief`, `task`, `tags`, `required_agents` and `required_teams` must say something. A
        brief that no agent answers gets an empty bundle. The same request against the same catalog revision
        and selector version gives the same bytes; they have been verified against the bundle's digest.

        Args:
            brief: What the project is and needs, in free text: a line or several pages, at most 65,536 bytes.
            task: What is about to be done in it; one more need of the brief. At most 8,192 bytes.
            tags: Words that describe it, each a need of its own. At most 64, each 1 to 128 characters.
            required_agents: Agents that must be in the bundle: an id, a name that is unique in the catalog,
                or either with "@" and at least 8 digits of the digest that is wanted. At most 128.
            required_teams: Teams all of whose members must be in it, by id or unique name. At most 16.
            forbidden_agents: Agents that must not be in it, referred to as above. At most 1,024.
            formats: Consider only agents of these formats; required ones are exempt. Empty: all.
            categories: Consider only agents of these categories, in any case; required ones are exempt.
                Empty: all. At most 64.
            budget_tokens: The most tokens the bundle may hold, at most 10,000,000. None: the server's
                default, which `get_catalog` tells.
            min_recall: The share of the relevant agents that the bundle is to hold on average over requests: 0.9,
                0.95 or 0.99. A higher one loads more. The budget goes first; `Loaded.expected_recall` tells what
                is left. None: what is worth its tokens, without a promise.
            max_detail: The most detailed level that agents are sent at. All are taken as their core, or as a
                card, before what is left of the budget is spent on more detail.
            prices: What `Loaded.savings` assumes of prompt caches.
            held: What the conversation holds already, so that only what is new is sent; `session` keeps it.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            InvalidRequest: The request breaks rules; all of them are named.
            BudgetTooSmall: The budget does not hold the smallest bundle that could answer.
            AgentNotFound, AmbiguousAgent, TeamNotFound: A reference fits none, or several.
            DigestMismatch: The text was changed on its way.
        """
        request = _wire.from_load(
            brief=brief,
            task=task,
            tags=tags,
            required_agents=required_agents,
            required_teams=required_teams,
            forbidden_agents=forbidden_agents,
            formats=formats,
            categories=categories,
            budget_tokens=budget_tokens,
            min_recall=min_recall,
            max_detail=max_detail,
            prices=prices,
            held=held,
        )
        loaded = _wire.to_loaded(await self._caller.call(self._agents.LoadAgents, request, timeout))
        loaded.bundle.verify()
        return loaded

    def session(self) -> Session:
        """Begin a conversation whose agents are loaded turn by turn, so that a provider's prompt cache keeps up.

        A session lives in this process and costs the server nothing; make one for each conversation.
        """
        return Session(self.load_agents)

    async def search_agents(
        self,
        query: str,
        *,
        limit: int = 10,
        formats: Iterable[AgentFormat] = (),
        categories: Iterable[str] = (),
        timeout: float | None = None,
    ) -> tuple[SearchResult, ...]:
        """Rank the catalog's agents for a query, best first; agents that nothing speaks for are left out.

        Args:
            query: What is looked for, in free text. At most 8,192 bytes.
            limit: The most results to return, from 1. Beyond 100 it takes a call for each 100, and a catalog
                that changes between two calls may repeat an agent or pass one over.
            formats: Consider only agents of these formats. Empty: all.
            categories: Consider only agents of these categories, in any case. Empty: all.
            timeout: Seconds that each call may take. None: the client's.

        Raises:
            InvalidRequest: The request breaks rules; all of them are named.
            ValueError: The limit is below 1.
        """
        if limit < 1:
            raise ValueError(f"limit {limit} is below 1")
        request = _wire.from_search(
            query, formats=formats, categories=categories, page_size=min(limit, MAX_SEARCH_PAGE_SIZE)
        )
        results: list[SearchResult] = []
        async for page in self._caller.pages(self._agents.SearchAgents, request, timeout):
            results.extend(_wire.to_search_results(page))
            if len(results) >= limit:
                break
        return tuple(results[:limit])

    async def get_agent(self, agent: str, *, timeout: float | None = None) -> Agent:
        """Return one agent whole: what a load would send of it, and the metadata of its file.

        Args:
            agent: An id, a name that is unique in the catalog, or either with "@" and at least 8 digits of
                the digest that is wanted.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            AgentNotFound, AmbiguousAgent: The reference fits none, or several.
        """
        request = pb.GetAgentRequest(agent=agent)
        return _wire.to_agent(await self._caller.call(self._agents.GetAgent, request, timeout))

    async def list_agents(
        self,
        *,
        formats: Iterable[AgentFormat] = (),
        categories: Iterable[str] = (),
        timeout: float | None = None,
    ) -> AsyncIterator[AgentSummary]:
        """Iterate over the catalog's agents, ordered by id; where the catalog changes, the order still holds.

        Args:
            formats: List only agents of these formats. Empty: all.
            categories: List only agents of these categories, in any case. Empty: all.
            timeout: Seconds that each call may take; there is one for each 200 agents. None: the client's.
        """
        request = _wire.from_agent_listing(formats=formats, categories=categories, page_size=LIST_PAGE_SIZE)
        async for page in self._caller.pages(self._agents.ListAgents, request, timeout):
            for summary in _wire.to_agent_summaries(page):
                yield summary

    async def get_catalog(self, *, timeout: float | None = None) -> Catalog:
        """Describe the catalog that is served: its revision, size, teams, and the remarks on its files."""
        request = pb.GetCatalogRequest()
        return _wire.to_catalog(await self._caller.call(self._agents.GetCatalog, request, timeout))

    async def watch_catalog(
        self, known_revision: str = "", *, patience: float = 300.0
    ) -> AsyncGenerator[CatalogChange]:
        """Iterate over the changes of the catalog, as they happen and without end.

        The first is the step from the known revision to the present one, if they differ. Where the connection
        is lost or the server gives way to another, the watch goes on with the next server; what was changed
        meanwhile comes in one step. A server that does not know the revision begins with all its agents, and
        `previous_revision` is empty.

        Args:
            known_revision: The revision that the caller knows, such as `Catalog.revision`. Empty: none.
            patience: Seconds that no server may be reachable for.

        Raises:
            Unavailable: No server could be reached for so long.
            LimitReached: As many watches stand already as the server allows.
        """
        changes = watched(
            lambda request: self._agents.WatchCatalog(request, metadata=self._caller.metadata()),
            known_revision,
            patience,
        )
        async with aclosing(changes):
            async for change in changes:
                yield change

    async def list_diagnostics(
        self, *, min_severity: Severity = Severity.NOTE, timeout: float | None = None
    ) -> AsyncIterator[Diagnostic]:
        """Iterate over the remarks on the catalog's files, ordered by path and line.

        Args:
            min_severity: List only remarks of at least this severity.
            timeout: Seconds that each call may take; there is one for each 200 remarks. None: the client's.
        """
        request = _wire.from_diagnostic_listing(min_severity=min_severity, page_size=LIST_PAGE_SIZE)
        async for page in self._caller.pages(self._agents.ListDiagnostics, request, timeout):
            for diagnostic in _wire.to_diagnostics(page):
                yield diagnostic

    async def get_delivery_ledger(self, destination: str = "", *, timeout: float | None = None) -> DeliveryLedger:
        """Tell what became of the server's telemetry: captured, delivered, rejected, shed, waiting.

        Args:
            destination: Only this one, by its name in the server's settings. Empty: all.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            DestinationNotFound: There is none of this name.
        """
        request = telemetry_pb2.GetDeliveryLedgerRequest(destination=destination)
        return _delivery_wire.to_ledger(await self._caller.call(self._telemetry.GetDeliveryLedger, request, timeout))

    async def verify_delivery(
        self, destination: str, *, from_sequence: int | None = None, timeout: float | None = None
    ) -> Verification:
        """Have the server compare its ledger with what a destination says that it has, batch by batch.

        Args:
            destination: The destination's name.
            from_sequence: The first batch to compare. None: the oldest that the ledger remembers.
            timeout: Seconds that the call may take; a destination is asked for 10,000 batches at a time. None: the client's.

        Raises:
            DestinationNotFound: There is none of this name.
            DestinationCannotVerify: It does not tell what it has.
            DestinationUnavailable: It cannot be asked now.
        """
        request = _delivery_wire.from_verification(destination, from_sequence)
        return _delivery_wire.to_verification(await self._caller.call(self._telemetry.VerifyDelivery, request, timeout))

    async def preview_egress(
        self,
        destination: str,
        *,
        signal: TelemetrySignal | None = None,
        batches: int = 1,
        timeout: float | None = None,
    ) -> tuple[EgressBatch, ...]:
        """Show exactly what would leave for a destination next, in the order in which it would; empty where nothing waits.

        Args:
            destination: The destination's name.
            signal: Only batches of this one. None: of all.
            batches: How many batches at most, up to 100.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            DestinationNotFound: There is none of this name.
        """
        request = _delivery_wire.from_preview(destination, signal, batches)
        return _delivery_wire.to_batches(await self._caller.call(self._telemetry.PreviewEgress, request, timeout))
