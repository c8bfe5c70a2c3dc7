"""The table of signals: all that leaves is in it, and all that is in it leaves."""

import ast
import asyncio
import dataclasses
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from ignis.agents.v1 import agent_loader_pb2
from ignis.telemetry.v1 import delivery_audit_pb2, telemetry_pb2
from ignis.workflow.v1 import workflow_pb2
from ignis_server import signal_table, signals
from ignis_server.rpc.server import RpcServer
from ignis_server.signal_table import EVENTS, METRICS, RESOURCE, SPANS, STAYS_LOCAL, Kind, Row
from ignis_server.telemetry.call_spans import CallEnd, attributes_of
from ignis_server.telemetry.otel import OtelSignals

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server" / "ignis_server"
TELEMETRY = SERVER / "telemetry"

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# Spans of what is no call.
OF_RUNS = {"invoke_workflow", "invoke_agent"}
# What is not said of a line but makes up its form.
OF_EXCEPTIONS = {"exception.type", "exception.stacktrace"}
# Beginnings of the names of attributes, by OpenTelemetry's conventions and by ours.
NAMESPACES = ("cpu.", "error.", "exception.", "gen_ai.", "ignis.", "process.", "rpc.", "service.", "telemetry.")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A call that writes a log line: where, the event, and the fields."""

    place: str
    event: str
    fields: frozenset[str]


def trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def calls(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for path, tree in trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(SERVER)}:{node.lineno}", node


def lines() -> list[Line]:
    """Return all log lines that the server may write; an event must be a literal, and fields must have names."""
    found = []
    for place, call in calls(SERVER):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name("log"), attr=level)) if level in LEVELS:
                event = ast.literal_eval(call.args[0])
                assert len(call.args) == 1, place
                assert all(keyword.arg for keyword in call.keywords), place
                found.append(Line(place, event, frozenset(str(keyword.arg) for keyword in call.keywords)))
    return found


def table() -> dict[str, Row]:
    """Return the rows of metrics by the names that code imports them by."""
    metrics = {Kind.COUNTER, Kind.UP_DOWN_COUNTER, Kind.GAUGE, Kind.HISTOGRAM}
    return {
        name: value for name, value in vars(signal_table).items() if isinstance(value, Row) and value.kind in metrics
    }


def imported_rows(tree: ast.Module) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "ignis_server.signal_table"
        for alias in node.names
        if alias.name in table()
    }


def names_of_attributes() -> set[str]:
    rows = (*SPANS, *METRICS, *EVENTS)
    return {each.name for row in rows for each in row.attributes} | {each.name for each in RESOURCE}


def methods_served(address: str) -> set[str]:
    """Return all methods that a server says it serves, health and reflection included."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        return {
            f"{service}/{method.name}"
            for service in database.get_services()
            for method in pool.FindServiceByName(service).methods
        }


def test_names_are_unique() -> None:
    for rows in (SPANS, METRICS, EVENTS):
        names = [row.name for row in rows]
        assert sorted(names) == sorted(set(names))


async def test_every_method_that_is_served_has_a_span_and_no_other(server: RpcServer) -> None:
    async with asyncio.timeout(30):
        served = await asyncio.to_thread(methods_served, server.address)

    assert {row.name for row in SPANS} - OF_RUNS == served


@pytest.mark.parametrize("module", [agent_loader_pb2, telemetry_pb2, workflow_pb2])
def test_every_method_of_our_contracts_has_a_span(module: object) -> None:
    services = module.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]  # generated

    methods = {f"{service.full_name}/{method.name}" for service in services for method in service.methods}
    assert methods
    assert methods <= {row.name for row in SPANS}


def test_what_only_receivers_serve_has_no_span() -> None:
    (service,) = delivery_audit_pb2.DESCRIPTOR.services_by_name.values()

    assert not [row.name for row in SPANS if row.name.startswith(service.full_name)]


def test_every_event_that_is_logged_has_a_row_and_no_other() -> None:
    assert {line.event for line in lines()} == {row.name for row in EVENTS}


def test_every_logger_is_called_log() -> None:
    """Or the lines that it writes are not seen here."""
    names = {
        ast.unparse(node.targets[0])
        for _, tree in trees(SERVER)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "get_logger" in ast.unparse(node.value)
    }

    assert names == {"log"}


def test_every_field_of_a_line_is_named_or_stays_here() -> None:
    rows = {row.name: {each.name for each in row.attributes} for row in EVENTS}

    unnamed = {
        f"{line.place} {line.event}: {field}"
        for line in lines()
        for field in line.fields - STAYS_LOCAL
        if field not in rows.get(line.event, set())
    }
    assert unnamed == set()


def test_no_row_names_a_field_that_no_line_has() -> None:
    said: dict[str, set[str]] = {}
    for line in lines():
        said.setdefault(line.event, set()).update(line.fields)

    unsaid = {
        f"{row.name}: {each.name}"
        for row in EVENTS
        for each in row.attributes
        if each.name not in said.get(row.name, set()) | OF_EXCEPTIONS
    }
    assert unsaid == set()


def test_what_stays_here_is_in_no_row() -> None:
    assert not STAYS_LOCAL & {each.name for row in EVENTS for each in row.attributes}


def test_every_row_of_a_metric_is_in_the_table() -> None:
    assert list(table().values()) == list(METRICS)


def test_every_metric_is_made_into_an_instrument() -> None:
    """A row is an argument of a call somewhere: of an instrument, or of what is counted by hand."""
    passed = {
        argument.id
        for _, call in calls(TELEMETRY)
        for argument in call.args
        if isinstance(argument, ast.Name) and argument.id in table()
    }

    assert passed == table().keys()


def test_no_row_is_imported_for_nothing() -> None:
    unused = {
        f"{path.name}: {name}"
        for path, tree in trees(TELEMETRY)
        for name in imported_rows(tree)
        if not any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))
    }

    assert unused == set()


def test_no_instrument_is_made_without_a_row() -> None:
    made = {"counter", "gauge", "histogram", "observe"}
    without = {
        place
        for place, call in calls(TELEMETRY)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in made
        and ast.unparse(call.func.value).endswith("instruments")
        and not (call.args and isinstance(call.args[0], ast.Name) and call.args[0].id in table())
    }

    assert without == set()


def test_instruments_of_the_sdk_are_made_in_one_place_and_from_rows() -> None:
    created = {
        (place.partition(":")[0], ast.unparse(call.args[0]))
        for place, call in calls(SERVER)
        if ast.unparse(call.func).rpartition(".")[2].startswith("create_") and "meter" in ast.unparse(call.func)
    }
    by_hand = {
        (place.partition(":")[0], ast.unparse(keyword.value))
        for place, call in calls(SERVER)
        if ast.unparse(call.func) == "Metric"
        for keyword in call.keywords
        if keyword.arg == "name"
    }

    assert created == {("telemetry/instruments.py", "row.name")}
    assert by_hand == {("telemetry/call_metrics.py", "row.name")}


def test_every_signal_is_turned_into_measurements() -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(OtelSignals.report)))
    handled = {ast.unparse(node.cls) for node in ast.walk(tree) if isinstance(node, ast.MatchClass)}
    declared = {kind.__name__ for kind in get_args(signals.Signal)}
    # Counts are part of signals and none themselves.
    dataclasses_there = {
        name
        for name, value in vars(signals).items()
        if dataclasses.is_dataclass(value) and name not in {"BundleCounts", "TokensUsed"}
    }

    assert handled == declared == dataclasses_there


def test_every_attribute_in_code_is_in_the_table() -> None:
    known = names_of_attributes() | {row.name for row in METRICS}
    found = {
        f"{path.relative_to(SERVER)}: {node.value}"
        for path, tree in trees(TELEMETRY)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(NAMESPACES)
        and " " not in node.value
        and node.value not in known
    }

    assert found == set()


@pytest.mark.parametrize("with_old", [False, True])
def test_what_calls_carry_is_in_the_rows_of_spans_and_of_metrics(with_old: bool) -> None:  # noqa: FBT001 - a parameter
    end = CallEnd("ignis.agents.v1.AgentLoaderService/GetAgent", "NOT_FOUND", "AGENT_NOT_FOUND", is_fault=False)
    carried = attributes_of(end, with_old=with_old).keys()

    rows = [
        *(row for row in SPANS if row.name not in OF_RUNS),
        *(row for row in METRICS if row.name.startswith("rpc.")),
    ]
    assert {row.name: carried - {each.name for each in row.attributes} for row in rows} == {
        row.name: set() for row in rows
    }


def test_the_page_of_signals_is_what_the_table_gives() -> None:
    program = Path(sys.executable).parent / "ignis"

    written = subprocess.run(
        [program, "signals", "--markdown"], capture_output=True, check=True, text=True, timeout=60
    ).stdout

    assert (ROOT / "docs" / "signals.md").read_text(encoding="utf-8") == written, "run: make docs"
