"""Workflows of a server: what can be started, what runs, what people are asked, and the steps that workers claim."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from uuid import uuid4

import grpc

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub
from ignis_client import _claim_wire, _definition_wire, _run_wire
from ignis_client._caller import Caller
from ignis_client._run_watch import watched_run
from ignis_client.claims import ClaimedStep, Heartbeat, Lease, Reported
from ignis_client.people import Answer, Approval, Decision, InputRequest, Rejection
from ignis_client.run import Artifact, Run, RunState, Step, StepFailure, TokenUsage
from ignis_client.run_events import RunEvent
from ignis_client.values import JsonValue
from ignis_client.workflow import WorkflowDefinition

__all__ = ["Workflows"]

# A run without its steps is some 500 bytes, so a page is 100 KB.
LIST_PAGE_SIZE = 200


class Workflows:
    """What a client can ask about workflows; `IgnisClient.workflows` is one.

    Every call may raise StoreUnavailable while the server's database is out of reach. Each that changes something
    has a request id or a lease, so that it has one effect however often it is sent: calls that find no server are
    tried again here too. A `request_id` that the caller keeps, a UUID, makes it safe to ask again after an error or
    a crash, for 24 hours; without one, each call makes its own.
    """

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        """Share a client's connection; `IgnisClient` does."""
        self._caller = caller
        self._stub = WorkflowServiceStub(channel)

    async def list_definitions(self, *, timeout: float | None = None) -> AsyncIterator[WorkflowDefinition]:
        """Iterate over the workflows that can be started, ordered by id, without their steps and guidance.

        Args:
            timeout: Seconds that each call may take; there is one for each 200 workflows. None: the client's.
        """
        request = pb.ListDefinitionsRequest(page_size=LIST_PAGE_SIZE)
        async for page in self._caller.pages(self._stub.ListDefinitions, request, timeout):
            for definition in page.definitions:
                yield _definition_wire.to_definition(definition)

    async def get_definition(self, definition: str, *, timeout: float | None = None) -> WorkflowDefinition:
        """Return one workflow with its steps.

        Args:
            definition: Its id, or a name that is unique.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            DefinitionNotFound: No workflow has the id or name.
        """
        request = pb.GetDefinitionRequest(definition=definition)
        response = await self._caller.call(self._stub.GetDefinition, request, timeout)
        return _definition_wire.to_definition(response.definition)

    async def start_run(  # noqa: PLR0913 - a request has as many facts, all but the first by name
        self,
        definition: str,
        *,
        brief: str = "",
        inputs: Mapping[str, JsonValue] | None = None,
        step_budget_tokens: int | None = None,
        labels: Mapping[str, str] | None = None,
        request_id: str = "",
        timeout: float | None = None,
    ) -> Run:
        """Begin a run and return as soon as its start is durable: no crash of a server loses it from then on.

        Args:
            definition: Id or unique name of the workflow.
            brief: The project that it is for, in free text, from which agents are chosen. At most 65,536 bytes.
            inputs: Values for the workflow's inputs, at most 1 MiB.
            step_budget_tokens: Tokens that the agent bundle of one step may hold. None: the loader's default.
            labels: Words to find the run by. At most 16, keys and values 1 to 128 characters.
            request_id: A UUID that makes it safe to ask again. Empty: a new one.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            InvalidRequest: The request breaks rules, or the inputs are not what the workflow takes.
            DefinitionNotFound, DefinitionInvalid: There is no such workflow, or it cannot run.
            RequestIdReused: The request id has begun another run.
            TooManyRuns: As many runs are open as the server allows.
            TypeError, ValueError: The inputs hold something that JSON cannot say.
        """
        request = _run_wire.from_start(
            request_id=request_id or str(uuid4()),
            definition=definition,
            brief=brief,
            inputs=inputs or {},
            step_budget_tokens=step_budget_tokens,
            labels=labels or {},
        )
        return _run_wire.to_run((await self._caller.call(self._stub.StartRun, request, timeout)).run)

    async def get_run(self, run_id: str, *, timeout: float | None = None) -> Run:
        """Return the present state of a run and its steps; the largest outputs are left out beyond 2 MiB in all.

        Raises:
            RunNotFound: There is no run of this id, or it is past its retention.
        """
        request = pb.GetRunRequest(run_id=run_id)
        return _run_wire.to_run((await self._caller.call(self._stub.GetRun, request, timeout)).run)

    async def get_step(self, run_id: str, step_id: str, *, timeout: float | None = None) -> Step:
        """Return one step of a run with the whole of its output.

        Raises:
            RunNotFound, StepNotFound: There is no such run, or it has no such step.
        """
        request = pb.GetStepRequest(run_id=run_id, step_id=step_id)
        return _run_wire.to_step((await self._caller.call(self._stub.GetStep, request, timeout)).step)

    async def list_runs(  # noqa: PLR0913 - as start_run
        self,
        *,
        states: Iterable[RunState] = (),
        definition_id: str = "",
        labels: Mapping[str, str] | None = None,
        create_time_from: datetime | None = None,
        create_time_until: datetime | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Run]:
        """Iterate over runs, the latest started first, without their steps.

        Args:
            states: Only runs in one of these states. Empty: all.
            definition_id: Only runs of this workflow, by id. Empty: all.
            labels: Only runs with all of these. At most 16.
            create_time_from: Only runs that began at or after this moment, which has a time zone.
            create_time_until: Only runs that began before this moment, which has a time zone.
            timeout: Seconds that each call may take; there is one for each 200 runs. None: the client's.
        """
        request = _run_wire.from_run_listing(
            states=states,
            definition_id=definition_id,
            labels=labels or {},
            create_time_from=create_time_from,
            create_time_until=create_time_until,
            page_size=LIST_PAGE_SIZE,
        )
        async for page in self._caller.pages(self._stub.ListRuns, request, timeout):
            for run in page.runs:
                yield _run_wire.to_run(run)

    async def cancel_run(
        self, run_id: str, *, reason: str = "", request_id: str = "", timeout: float | None = None
    ) -> Run:
        """End a run, and return it; one that has ended already is returned as it is.

        No step of it is handed out any more, and workers learn of it at their next heartbeat.

        Args:
            run_id: The run.
            reason: Why, for those who read it later. At most 1,024 characters.
            request_id: A UUID that makes it safe to ask again. Empty: a new one.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            RunNotFound: There is no run of this id.
            RequestIdReused: The request id was used before, with other content.
        """
        request = pb.CancelRunRequest(request_id=request_id or str(uuid4()), run_id=run_id, reason=reason)
        return _run_wire.to_run((await self._caller.call(self._stub.CancelRun, request, timeout)).run)

    async def resolve_input(
        self,
        run_id: str,
        input_id: str,
        decision: Decision,
        *,
        request_id: str = "",
        timeout: float | None = None,
    ) -> Run:
        """Tell a run what a person decided, and return it as it stands then.

        `Approval()` lets it go on; for an unknown effect: it took effect, take the step as done. `Rejection("why")`
        sends the step back; for an unknown effect: it took none, do it again; for a question: nobody will answer, the
        step fails. `Answer(value)` answers a question.

        Args:
            run_id: The run.
            input_id: What it asks: `InputRequest.id`.
            decision: What was decided.
            request_id: A UUID that makes it safe to ask again. Empty: a new one.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            InvalidRequest: The decision is none that this request allows.
            RunNotFound, InputNotFound: There is no such run, or it has asked nothing under this id.
            InputAlreadyResolved: Somebody else has answered, in another way.
            RequestIdReused: The request id was used before, with other content.
            TypeError, ValueError: The answer is nothing that JSON can say.
        """
        request = pb.ResolveInputRequest(
            request_id=request_id or str(uuid4()), run_id=run_id, answer=_run_wire.from_answer(input_id, decision)
        )
        return _run_wire.to_run((await self._caller.call(self._stub.ResolveInput, request, timeout)).run)

    async def approve(self, run_id: str, input_id: str, comment: str = "", *, timeout: float | None = None) -> Run:
        """Let a run go on; `resolve_input` with an Approval."""
        return await self.resolve_input(run_id, input_id, Approval(comment), timeout=timeout)

    async def reject(
        self,
        run_id: str,
        input_id: str,
        comment: str = "",
        *,
        fail_run: bool = False,
        timeout: float | None = None,
    ) -> Run:
        """Send a step back, or fail its run; `resolve_input` with a Rejection."""
        return await self.resolve_input(run_id, input_id, Rejection(comment, fail_run), timeout=timeout)

    async def answer(self, run_id: str, input_id: str, value: JsonValue, *, timeout: float | None = None) -> Run:
        """Answer a run's question; `resolve_input` with an Answer."""
        return await self.resolve_input(run_id, input_id, Answer(value), timeout=timeout)

    async def watch_run(self, run_id: str, *, patience: float = 300.0) -> AsyncGenerator[Run | RunEvent]:
        """Iterate over a run: its present state, then every event in order, without gap or duplicate, to its end.

        Where the connection is lost or the server gives way to another, the watch goes on with the next one after the
        last event that arrived. Where that is no longer kept, another Run comes, which tells what happened meanwhile.
        The iteration ends after the event that ends the run, or at once where it has ended.

        Args:
            run_id: The run.
            patience: Seconds that no server may be reachable for.

        Raises:
            RunNotFound: There is no run of this id.
            Unavailable: No server could be reached for so long.
            LimitReached: As many watches stand already as the server allows.
        """
        said = watched_run(
            lambda request: self._stub.WatchRun(request, metadata=self._caller.metadata()), run_id, patience
        )
        async with aclosing(said):
            async for each in said:
                yield each

    async def wait_run(self, run_id: str, *, patience: float = 300.0) -> Run:
        """Wait until a run has ended, or asks something of a person, and return it as it stands then.

        Which of both it is, `Run.has_ended` and `Run.input_requests` tell. Other steps of a run that asks may be
        under way; a question that stays open is returned at once by the next wait.

        Args:
            run_id: The run.
            patience: Seconds that no server may be reachable for.

        Raises:
            RunNotFound: There is no run of this id.
            Unavailable: No server could be reached for so long.
            LimitReached: As many watches stand already as the server allows.
        """
        # The events do not tell all of a run, and may be over: each new watch begins with the run as it stands then.
        while True:
            async with aclosing(self.watch_run(run_id, patience=patience)) as said:
                async for each in said:
                    if isinstance(each, RunEvent):
                        if isinstance(each.change, InputRequest):
                            break
                    elif each.has_ended or each.input_requests:
                        return each

    async def claim_step(  # noqa: PLR0913 - as start_run
        self,
        worker_id: str,
        *,
        agents: Iterable[str] = (),
        capabilities: Iterable[str] = (),
        run_id: str = "",
        wait: float = 20.0,
        lease: float = 30.0,
        request_id: str = "",
        timeout: float | None = None,
    ) -> ClaimedStep | None:
        """Take a step that is ready, for the time of a lease; `IgnisClient.worker` does it and all that follows.

        Args:
            worker_id: Who asks; unique among the workers that run at the same time. 1 to 128 characters.
            agents: Only steps of these agents, by id or unique name. At most 128. Empty: any agent.
            capabilities: What the worker can do, the executors that it is included. At most 64.
            run_id: Only steps of this run. Empty: any run.
            wait: Seconds to wait for a step, at most 60; more is reduced.
            lease: Seconds that the lease is to last without a heartbeat, 5 to 3,600.
            request_id: A UUID: while the lease lasts, the same one gets the same attempt again. Empty: a new one.
            timeout: Seconds that the call may take beyond `wait`. None: the client's.

        Returns:
            The step; None where none became ready in time.

        Raises:
            TooManyWaiters: As many workers wait for steps as the server allows.
        """
        request = _claim_wire.from_claim(
            request_id=request_id or str(uuid4()),
            worker_id=worker_id,
            agents=agents,
            capabilities=capabilities,
            run_id=run_id,
            wait=wait,
            lease=lease,
        )
        seconds = self._caller.seconds(timeout) + wait
        return _claim_wire.to_claimed(await self._caller.call(self._stub.ClaimStep, request, seconds))

    async def heartbeat_step(
        self,
        lease: Lease,
        *,
        progress_message: str = "",
        usage: TokenUsage | None = None,
        timeout: float | None = None,
    ) -> Heartbeat:
        """Extend a lease, and learn whether to go on.

        Args:
            lease: The lease, as claimed.
            progress_message: How far the step is, for people who watch. At most 512 characters.
            usage: Tokens used by this attempt so far. None: not known.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            LeaseLost: The attempt has no lease any more.
            StepNotFound: The run has no such step.
        """
        request = _claim_wire.from_heartbeat(lease, progress_message, usage)
        return _claim_wire.to_heartbeat(await self._caller.call(self._stub.HeartbeatStep, request, timeout))

    async def complete_step(
        self,
        lease: Lease,
        output: Mapping[str, JsonValue],
        *,
        artifacts: Iterable[Artifact] = (),
        usage: TokenUsage | None = None,
        timeout: float | None = None,
    ) -> Reported:
        """Report that a step is done; a repetition by the same attempt changes nothing.

        Args:
            lease: The lease, as claimed.
            output: What it has made, by the names that its definition lists. At most 1 MiB as JSON, and 16 MiB with
                the outputs of all steps of the run.
            artifacts: The artefacts that it has made. At most 64, and 1 MiB of content together.
            usage: Tokens used by this attempt. None: not known.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            LeaseLost: The attempt has lost its lease.
            OutputTooLarge: The output or an artefact is larger than may be kept with the run.
            StepNotFound: The run has no such step.
            TypeError, ValueError: The output is nothing that JSON can say.
        """
        request = _claim_wire.from_completion(lease, output, artifacts, usage)
        response = await self._caller.call(self._stub.CompleteStep, request, timeout)
        return _claim_wire.to_reported(response)

    async def fail_step(
        self,
        lease: Lease,
        failure: StepFailure,
        *,
        usage: TokenUsage | None = None,
        retry_after: timedelta | None = None,
        timeout: float | None = None,
    ) -> Reported:
        """Report that an attempt has failed; the step's retry policy decides what comes next.

        Args:
            lease: The lease, as claimed.
            failure: Why.
            usage: Tokens used by this attempt. None: not known.
            retry_after: Wait at least so long before the next attempt, at most an hour. None: as the policy says.
            timeout: Seconds that the call may take. None: the client's.

        Raises:
            LeaseLost: The attempt has lost its lease.
            StepNotFound: The run has no such step.
        """
        request = _claim_wire.from_failed_attempt(lease, failure, usage, retry_after)
        response = await self._caller.call(self._stub.FailStep, request, timeout)
        return _claim_wire.to_reported(response)
