"""What the package is to those who import it."""

import subprocess
import sys
from dataclasses import fields

import pytest
from google.protobuf.descriptor import Descriptor

import ignis_client
from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2

MESSAGES = [
    (ignis_client.Agent, pb.Agent.DESCRIPTOR),
    (ignis_client.AgentSummary, pb.AgentSummary.DESCRIPTOR),
    (ignis_client.Baseline, pb.Baseline.DESCRIPTOR),
    (ignis_client.Bundle, pb.Bundle.DESCRIPTOR),
    (ignis_client.Catalog, pb.Catalog.DESCRIPTOR),
    (ignis_client.CategoryCount, pb.CategoryCount.DESCRIPTOR),
    (ignis_client.DeliveryLedger, telemetry_pb2.GetDeliveryLedgerResponse.DESCRIPTOR),
    (ignis_client.Diagnostic, pb.Diagnostic.DESCRIPTOR),
    (ignis_client.EgressBatch, telemetry_pb2.EgressBatch.DESCRIPTOR),
    (ignis_client.Epoch, pb.Epoch.DESCRIPTOR),
    (ignis_client.Evidence, pb.Evidence.DESCRIPTOR),
    (ignis_client.FormatCount, pb.FormatCount.DESCRIPTOR),
    (ignis_client.HeldAgent, pb.HeldAgent.DESCRIPTOR),
    (ignis_client.HeldBundle, pb.HeldBundle.DESCRIPTOR),
    (ignis_client.LedgerRow, telemetry_pb2.LedgerRow.DESCRIPTOR),
    (ignis_client.LeftOutAgent, pb.LeftOutAgent.DESCRIPTOR),
    (ignis_client.Loaded, pb.LoadAgentsResponse.DESCRIPTOR),
    (ignis_client.LoadedAgent, pb.LoadedAgent.DESCRIPTOR),
    (ignis_client.Need, pb.Need.DESCRIPTOR),
    (ignis_client.Savings, pb.Savings.DESCRIPTOR),
    (ignis_client.SearchResult, pb.SearchResult.DESCRIPTOR),
    (ignis_client.SeverityCount, pb.SeverityCount.DESCRIPTOR),
    (ignis_client.Team, pb.Team.DESCRIPTOR),
    (ignis_client.TokenPrices, pb.TokenPrices.DESCRIPTOR),
    (ignis_client.Verification, telemetry_pb2.VerifyDeliveryResponse.DESCRIPTOR),
    (ignis_client.AgentBundle, workflow_pb2.AgentBundle.DESCRIPTOR),
    (ignis_client.Approval, workflow_pb2.Approval.DESCRIPTOR),
    (ignis_client.Artifact, workflow_pb2.Artifact.DESCRIPTOR),
    (ignis_client.ClaimedStep, workflow_pb2.ClaimedStep.DESCRIPTOR),
    (ignis_client.Guidance, workflow_pb2.Guidance.DESCRIPTOR),
    (ignis_client.Heartbeat, workflow_pb2.HeartbeatStepResponse.DESCRIPTOR),
    (ignis_client.InputDefinition, workflow_pb2.InputDefinition.DESCRIPTOR),
    (ignis_client.InputRequest, workflow_pb2.InputRequest.DESCRIPTOR),
    (ignis_client.Lease, workflow_pb2.Lease.DESCRIPTOR),
    (ignis_client.OutputReference, workflow_pb2.OutputReference.DESCRIPTOR),
    (ignis_client.Progress, workflow_pb2.Progress.DESCRIPTOR),
    (ignis_client.Question, workflow_pb2.Question.DESCRIPTOR),
    (ignis_client.Rejection, workflow_pb2.Rejection.DESCRIPTOR),
    (ignis_client.Reported, workflow_pb2.CompleteStepResponse.DESCRIPTOR),
    (ignis_client.Reported, workflow_pb2.FailStepResponse.DESCRIPTOR),
    (ignis_client.RetryPolicy, workflow_pb2.RetryPolicy.DESCRIPTOR),
    (ignis_client.Run, workflow_pb2.Run.DESCRIPTOR),
    (ignis_client.Step, workflow_pb2.Step.DESCRIPTOR),
    (ignis_client.StepDefinition, workflow_pb2.StepDefinition.DESCRIPTOR),
    (ignis_client.StepExpanded, workflow_pb2.StepExpanded.DESCRIPTOR),
    (ignis_client.StepFailure, workflow_pb2.StepFailure.DESCRIPTOR),
    (ignis_client.StepProgress, workflow_pb2.StepProgress.DESCRIPTOR),
    (ignis_client.TokenUsage, workflow_pb2.TokenUsage.DESCRIPTOR),
    (ignis_client.WorkflowDefinition, workflow_pb2.Definition.DESCRIPTOR),
]

SERVER_ONLY = {
    "httpx2",
    "ignis_server",
    "numpy",
    "opentelemetry",
    "pydantic",
    "rich",
    "structlog",
    "tiktoken",
    "typer",
    "uvloop",
    "wordllama",
    "yaml",
}


@pytest.mark.parametrize(("kind", "descriptor"), MESSAGES)
def test_types_have_the_fields_of_the_api(kind: type, descriptor: Descriptor) -> None:
    assert [field.name for field in fields(kind)] == [field.name for field in descriptor.fields]


def test_public_names_are_there() -> None:
    assert [name for name in ignis_client.__all__ if not hasattr(ignis_client, name)] == []


def test_import_needs_nothing_of_the_server() -> None:
    """Callers install grpcio, protobuf and googleapis-common-protos, and nothing else."""
    script = "import sys, ignis_client; print(*{name.partition('.')[0] for name in sys.modules})"

    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout

    assert "ignis_client" in imported.split()
    assert SERVER_ONLY.isdisjoint(imported.split())
