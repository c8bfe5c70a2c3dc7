"""What the package is to those who import it."""

import subprocess
import sys
from dataclasses import fields

import pytest
from google.protobuf.descriptor import Descriptor

import ignis_client
from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.telemetry.v1 import telemetry_pb2

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
]

SERVER_ONLY = {
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
