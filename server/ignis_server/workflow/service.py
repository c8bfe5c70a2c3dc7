"""WorkflowService: decode, call the use case, encode."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceServicer
from ignis_server.rpc.call import current_call
from ignis_server.workflow import commands
from ignis_server.workflow.agent_bundles import AgentBundle
from ignis_server.workflow.agent_directory import AgentDirectory, KnownAgent
from ignis_server.workflow.claims import Claims, StepWanted
from ignis_server.workflow.definitions import Definitions
from ignis_server.workflow.journal import Beside, Offer
from ignis_server.workflow.run import Run
from ignis_server.workflow.run_watch import Beat, Changes, RunWatch
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.state_machine import Extended
from ignis_server.workflow.wire import claims as claiming
from ignis_server.workflow.wire import definitions as defining
from ignis_server.workflow.wire import listing, people, runs, starting, steps, watching, working
from ignis_server.workflow.wire.events import from_recorded
from ignis_server.workflow.wire.identifiers import request_digest

__all__ = ["WorkflowService"]


class WorkflowService(WorkflowServiceServicer):
    """The workflow capability at its gRPC door; the .proto is its manual."""

    def __init__(
        self, definitions: Definitions, runs: Runs, claims: Claims, watch: RunWatch, agents: AgentDirectory
    ) -> None:
        self._definitions = definitions
        self._runs = runs
        self._claims = claims
        self._watch = watch
        self._agents = agents

    async def ListDefinitions(self, request: pb.ListDefinitionsRequest, context: object) -> pb.ListDefinitionsResponse:
        page = defining.to_definition_page(request)
        return defining.from_definition_page(page, (plan.definition for plan in self._definitions.ordered))

    async def GetDefinition(self, request: pb.GetDefinitionRequest, context: object) -> pb.GetDefinitionResponse:
        plan = self._definitions.find(defining.to_definition_reference(request))
        return defining.from_whole_definition(plan.definition)

    async def StartRun(self, request: pb.StartRunRequest, context: object) -> pb.StartRunResponse:
        start = starting.to_start(request)
        command = replace(start.command, trace_context=_trace_context())
        run = await self._runs.start(start.definition, command, request_digest(request))
        return pb.StartRunResponse(run=runs.from_run(run))

    async def GetRun(self, request: pb.GetRunRequest, context: object) -> pb.GetRunResponse:
        return pb.GetRunResponse(run=runs.from_run(await self._runs.run(runs.to_run_reference(request))))

    async def GetStep(self, request: pb.GetStepRequest, context: object) -> pb.GetStepResponse:
        run, step = await self._runs.step(*runs.to_step_reference(request))
        return steps.from_whole_step(step, await self._runs.blobs(run, steps.inline_digests(step)))

    async def ListRuns(self, request: pb.ListRunsRequest, context: object) -> pb.ListRunsResponse:
        page = listing.to_run_page(request)
        return listing.from_run_page(page, await self._runs.page(page.chosen, limit=page.wanted, behind=page.behind))

    async def CancelRun(self, request: pb.CancelRunRequest, context: object) -> pb.CancelRunResponse:
        run_id, command = runs.to_cancellation(request)
        return pb.CancelRunResponse(
            run=runs.from_run(await self._runs.cancel(run_id, command, request_digest(request)))
        )

    async def ClaimStep(self, request: pb.ClaimStepRequest, context: object) -> pb.ClaimStepResponse:
        claim = working.to_claim(request)
        wanted = StepWanted(claim.request_id, claim.worker_id, self._by_id(claim.offer), claim.lease, claim.wait)
        claimed = await self._claims.claim(wanted)
        if claimed is None:
            return pb.ClaimStepResponse()
        bundle = None if claimed.bundle is None else _from_bundle(claimed.bundle)
        return claiming.from_claimed(claimed.run, claimed.lease, claimed.inputs, bundle)

    async def HeartbeatStep(self, request: pb.HeartbeatStepRequest, context: object) -> pb.HeartbeatStepResponse:
        run_id, command = working.to_heartbeat(request)
        return claiming.from_extended(run_id, await self._extended(run_id, command))

    async def CompleteStep(self, request: pb.CompleteStepRequest, context: object) -> pb.CompleteStepResponse:
        completion = working.to_completion(request)
        command = completion.command
        decision = await self._runs.say(completion.run_id, command, Beside(blobs=completion.blobs))
        return claiming.from_completed(decision.run, command.step_id)

    async def FailStep(self, request: pb.FailStepRequest, context: object) -> pb.FailStepResponse:
        run_id, command = working.to_failure(request)
        return claiming.from_failed((await self._runs.say(run_id, command)).run, command.step_id)

    async def ResolveInput(self, request: pb.ResolveInputRequest, context: object) -> pb.ResolveInputResponse:
        run_id, command = people.to_resolution(request)
        run = await self._runs.answer_once(run_id, command, command.command_id, request_digest(request))
        return pb.ResolveInputResponse(run=runs.from_run(run))

    async def WatchRun(self, request: pb.WatchRunRequest, context: object) -> AsyncIterator[pb.WatchRunResponse]:
        watch = watching.to_watch(request)
        async with aclosing(self._watch.watch(watch.run_id, watch.after)) as seen:
            async for each in seen:
                match each:
                    case Run():
                        yield watching.from_snapshot(each)
                    case Changes(changes):
                        events = (from_recorded(change.recorded, change.before, change.after) for change in changes)
                        for response in watching.from_events(watch.run_id, events):
                            yield response
                    case Beat(time, version):
                        yield watching.from_heartbeat(watch.run_id, version, time)

    async def _extended(self, run_id: str, command: commands.HeartbeatStep) -> Extended:
        answer = (await self._runs.say(run_id, command)).answer
        if isinstance(answer, Extended):
            return answer
        raise AssertionError("a heartbeat extends a lease or is refused")

    def _by_id(self, offer: Offer) -> Offer:
        """Return an offer with agents by id; a reference to nobody, or to several, stays as it is and fits no step."""
        found = {name: self._agents.look_up(name, near="") for name in offer.agents}
        ids = (each.agent_id if isinstance(each, KnownAgent) else name for name, each in found.items())
        return replace(offer, agents=frozenset(ids))


def _from_bundle(bundle: AgentBundle) -> pb.AgentBundle:
    return claiming.from_bundle(bundle.digest, bundle.content, tokens=bundle.tokens, agents=bundle.agents)


def _trace_context() -> dict[str, str]:
    """Return the trace of the call that this task serves, for workers to go on with."""
    call = current_call()
    return {} if call is None else {"traceparent": call.trace.traceparent}
