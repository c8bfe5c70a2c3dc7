"""Enums: each value of the API has one of the same name here, whichever way it goes over the wire."""

from enum import Enum
from typing import Any

import pytest
from google.protobuf.descriptor import EnumDescriptor

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2
from ignis_client import (
    AgentFormat,
    CacheOutcome,
    DetailLevel,
    Effect,
    EpochReason,
    ExclusionReason,
    IgnisClient,
    InclusionReason,
    InputKind,
    InputType,
    RunState,
    Severity,
    StepState,
    TelemetrySignal,
)
from unit.client.samples import bundle_message
from unit.client.scripted_server import ScriptedServer

ENUMS: list[tuple[type[Enum], EnumDescriptor]] = [
    (AgentFormat, pb.AgentFormat.DESCRIPTOR),
    (CacheOutcome, pb.CacheOutcome.DESCRIPTOR),
    (DetailLevel, pb.DetailLevel.DESCRIPTOR),
    (Effect, workflow_pb2.Effect.DESCRIPTOR),
    (EpochReason, pb.EpochReason.DESCRIPTOR),
    (ExclusionReason, pb.ExclusionReason.DESCRIPTOR),
    (InclusionReason, pb.InclusionReason.DESCRIPTOR),
    (InputKind, workflow_pb2.InputKind.DESCRIPTOR),
    (InputType, workflow_pb2.InputType.DESCRIPTOR),
    (RunState, workflow_pb2.RunState.DESCRIPTOR),
    (Severity, pb.Severity.DESCRIPTOR),
    (StepState, workflow_pb2.StepState.DESCRIPTOR),
    (TelemetrySignal, telemetry_pb2.Signal.DESCRIPTOR),
]


def names(descriptor: EnumDescriptor) -> list[str]:
    """Return the names that the values of the API have here, in order."""
    unspecified, *others = [value.name for value in descriptor.values]
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return ["UNKNOWN", *(other.removeprefix(prefix) for other in others)]


@pytest.mark.parametrize(("kind", "descriptor"), ENUMS)
def test_names_are_those_of_the_api(kind: type[Enum], descriptor: EnumDescriptor) -> None:
    assert list(kind.__members__) == names(descriptor)


async def test_formats(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.ListAgentsResponse(agents=[pb.AgentSummary(format=each) for each in pb.AgentFormat.values()]))

    listed = [agent async for agent in ignis.list_agents(formats=AgentFormat)]

    assert [agent.format.name for agent in listed] == names(pb.AgentFormat.DESCRIPTOR)
    assert list(server.requests[0].filter.formats) == pb.AgentFormat.values()


async def test_severities(server: ScriptedServer, ignis: IgnisClient) -> None:
    remarks = [pb.Diagnostic(severity=each) for each in pb.Severity.values()]
    server.script(pb.ListDiagnosticsResponse(diagnostics=remarks))

    for severity in Severity:
        listed = [each.severity.name async for each in ignis.list_diagnostics(min_severity=severity)]
        assert listed == names(pb.Severity.DESCRIPTOR)

    assert [request.min_severity for request in server.requests] == pb.Severity.values()


async def test_details(server: ScriptedServer, ignis: IgnisClient) -> None:
    bundle = bundle_message()
    bundle.agents.extend(pb.LoadedAgent(detail=each) for each in pb.DetailLevel.values())
    server.script(pb.LoadAgentsResponse(bundle=bundle))

    for detail in DetailLevel:
        loaded = await ignis.load_agents("a shop", max_detail=detail)
        assert [agent.detail.name for agent in loaded.agents] == names(pb.DetailLevel.DESCRIPTOR)

    assert [request.max_detail for request in server.requests] == pb.DetailLevel.values()


async def test_reasons(server: ScriptedServer, ignis: IgnisClient) -> None:
    bundle = bundle_message()
    bundle.agents.extend(pb.LoadedAgent(reason=each) for each in pb.InclusionReason.values())
    left_out = [pb.LeftOutAgent(reason=each) for each in pb.ExclusionReason.values()]
    server.script(pb.LoadAgentsResponse(bundle=bundle, left_out=left_out))

    loaded = await ignis.load_agents("a shop")

    assert [agent.reason.name for agent in loaded.agents] == names(pb.InclusionReason.DESCRIPTOR)
    assert [agent.reason.name for agent in loaded.left_out] == names(pb.ExclusionReason.DESCRIPTOR)


async def test_epoch_reasons(server: ScriptedServer, ignis: IgnisClient) -> None:
    bundle = bundle_message()
    server.script(
        *(pb.LoadAgentsResponse(bundle=bundle, epoch=pb.Epoch(reason=each)) for each in pb.EpochReason.values())
    )

    loaded = [(await ignis.load_agents("a shop")).epoch.reason.name for _ in EpochReason]

    assert loaded == names(pb.EpochReason.DESCRIPTOR)


async def test_cache_outcomes(server: ScriptedServer, ignis: IgnisClient) -> None:
    bundle = bundle_message()
    server.script(*(pb.LoadAgentsResponse(bundle=bundle, cache_outcome=each) for each in pb.CacheOutcome.values()))

    outcomes = [(await ignis.load_agents("a shop")).cache_outcome.name for _ in pb.CacheOutcome.values()]

    assert outcomes == names(pb.CacheOutcome.DESCRIPTOR)


async def test_signals_of_telemetry(server: ScriptedServer, ignis: IgnisClient) -> None:
    numbers = telemetry_pb2.Signal.values()
    server.script(
        telemetry_pb2.PreviewEgressResponse(batches=[telemetry_pb2.EgressBatch(signal=each) for each in numbers])
    )

    for signal in TelemetrySignal:
        batches = await ignis.preview_egress("default", signal=signal)
        assert [batch.signal.name for batch in batches] == names(telemetry_pb2.Signal.DESCRIPTOR)

    assert [request.signal for request in server.requests] == numbers


async def test_states_kinds_and_types_of_workflows(server: ScriptedServer, ignis: IgnisClient) -> None:
    run = workflow_pb2.Run(
        steps=[workflow_pb2.Step(state=each) for each in workflow_pb2.StepState.values()],
        input_requests=[workflow_pb2.InputRequest(kind=each) for each in workflow_pb2.InputKind.values()],
    )
    definition = workflow_pb2.Definition(
        steps=[workflow_pb2.StepDefinition(effect=each) for each in workflow_pb2.Effect.values()],
        inputs=[workflow_pb2.InputDefinition(type=each) for each in workflow_pb2.InputType.values()],
    )
    runs = [workflow_pb2.Run(state=each) for each in workflow_pb2.RunState.values()]
    server.script(
        workflow_pb2.GetRunResponse(run=run),
        workflow_pb2.GetDefinitionResponse(definition=definition),
        workflow_pb2.ListRunsResponse(runs=runs),
    )

    got = await ignis.workflows.get_run("r")
    workflow = await ignis.workflows.get_definition("d")
    listed = [each.state.name async for each in ignis.workflows.list_runs(states=RunState)]

    assert [each.state.name for each in got.steps] == names(workflow_pb2.StepState.DESCRIPTOR)
    assert [each.kind.name for each in got.input_requests] == names(workflow_pb2.InputKind.DESCRIPTOR)
    assert [each.effect.name for each in workflow.steps] == names(workflow_pb2.Effect.DESCRIPTOR)
    assert [each.type.name for each in workflow.inputs] == names(workflow_pb2.InputType.DESCRIPTOR)
    assert listed == names(workflow_pb2.RunState.DESCRIPTOR)
    assert list(server.requests[-1].states) == workflow_pb2.RunState.values()


async def test_values_of_a_newer_server_are_unknown(server: ScriptedServer, ignis: IgnisClient) -> None:
    newer: Any = 99
    bundle = bundle_message("text\n")
    bundle.agents[0].MergeFrom(pb.LoadedAgent(agent=pb.AgentSummary(format=newer), detail=newer, reason=newer))
    left_out = [pb.LeftOutAgent(reason=newer)]
    server.script(
        pb.LoadAgentsResponse(bundle=bundle, left_out=left_out, cache_outcome=newer),
        pb.ListDiagnosticsResponse(diagnostics=[pb.Diagnostic(severity=newer)]),
        telemetry_pb2.GetDeliveryLedgerResponse(rows=[telemetry_pb2.LedgerRow(signal=newer)]),
    )

    loaded = await ignis.load_agents("a shop")
    remarks = [each async for each in ignis.list_diagnostics()]
    ledger = await ignis.get_delivery_ledger()

    assert loaded.agents[0].agent.format is AgentFormat.UNKNOWN
    assert loaded.agents[0].detail is DetailLevel.UNKNOWN
    assert loaded.agents[0].reason is InclusionReason.UNKNOWN
    assert loaded.left_out[0].reason is ExclusionReason.UNKNOWN
    assert loaded.cache_outcome is CacheOutcome.UNKNOWN
    assert remarks[0].severity is Severity.UNKNOWN
    assert ledger.rows[0].signal is TelemetrySignal.UNKNOWN


def test_levels_are_ordered() -> None:
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR
    assert DetailLevel.CARD < DetailLevel.CORE < DetailLevel.FULL
