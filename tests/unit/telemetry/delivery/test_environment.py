"""The environment as OpenTelemetry's specification has it: precedence, paths, values that mean nothing, and what is a mistake."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.errors import SettingsInvalid
from ignis_server.telemetry.delivery.destination import Compression, Protocol, Route, TlsFiles
from ignis_server.telemetry.delivery.environment import destinations_of
from ignis_server.telemetry.model import Signal

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


def routes(environ: Mapping[str, str]) -> Mapping[Signal, Route]:
    found = destinations_of(environ)
    assert found.warnings == ()
    (destination,) = found.destinations
    assert destination.name == "default"
    return destination.routes


def option(name: str, value: str) -> Route:
    return routes(ENDPOINT | {f"OTEL_EXPORTER_OTLP_{name}": value})[Signal.TRACES]


def mistakes(environ: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        destinations_of(environ)
    return caught.value.mistakes


def test_nothing_said_nothing_leaves() -> None:
    assert destinations_of({}).destinations == ()
    assert destinations_of({"OTEL_EXPORTER_OTLP_ENDPOINT": " ", "OTEL_TRACES_EXPORTER": ""}).destinations == ()


def test_an_endpoint_is_enough_and_is_grpc_as_it_always_was() -> None:
    found = routes(ENDPOINT)

    assert found == dict.fromkeys(Signal, Route(Protocol.GRPC, "collector:4317", is_secure=False))
    assert found[Signal.LOGS].timeout_seconds == 10


def test_http_goes_to_a_path_for_each_signal() -> None:
    found = routes(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318/base/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    )

    assert {signal: route.endpoint for signal, route in found.items()} == {
        signal: f"https://c:4318/base/v1/{signal}" for signal in Signal
    }
    assert all(route.is_secure for route in found.values())


def test_what_is_said_for_a_signal_comes_before_what_is_said_for_all() -> None:
    found = routes(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:4317",
            "OTEL_EXPORTER_OTLP_HEADERS": "a=all",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "all.pem",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:4318/intake",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=own",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "own.pem",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "cert.pem",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "key.pem",
        }
    )

    assert found[Signal.TRACES] == Route(
        Protocol.HTTP,
        "http://traces:4318/intake",
        is_secure=False,
        headers=(("b", "own"),),
        timeout_seconds=2,
        compression=Compression.NONE,
        tls=TlsFiles(Path("own.pem"), Path("cert.pem"), Path("key.pem")),
    )
    assert found[Signal.LOGS] == Route(
        Protocol.GRPC,
        "all:4317",
        is_secure=False,
        headers=(("a", "all"),),
        timeout_seconds=1,
        compression=Compression.GZIP,
        tls=TlsFiles(Path("all.pem")),
    )


def test_an_empty_value_is_as_good_as_none() -> None:
    found = routes(ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": " "})

    assert found[Signal.TRACES] == found[Signal.LOGS]


def test_an_endpoint_for_one_signal_sends_that_one() -> None:
    assert set(routes({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs:4317"})) == {Signal.LOGS}


@pytest.mark.parametrize("value", ["none", "NONE", " none "])
def test_a_signal_may_be_left_out(value: str) -> None:
    assert set(routes(ENDPOINT | {"OTEL_METRICS_EXPORTER": value})) == {Signal.TRACES, Signal.LOGS}


def test_all_signals_left_out_is_no_destination() -> None:
    environ = ENDPOINT | {f"OTEL_{signal.upper()}_EXPORTER": "none" for signal in Signal}

    assert destinations_of(environ).destinations == ()


@pytest.mark.parametrize(
    ("protocol", "endpoint"), [("grpc", "localhost:4317"), ("http/protobuf", "http://localhost:4318/v1/traces")]
)
def test_who_asks_for_otlp_gets_it_on_this_machine(protocol: str, endpoint: str) -> None:
    found = routes({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})

    assert {signal: route.endpoint for signal, route in found.items()} == {Signal.TRACES: endpoint}


@pytest.mark.parametrize("value", ["prometheus", "console", "prometheus,console"])
def test_another_exporter_is_not_offered_and_is_no_reason_to_send_by_otlp(value: str) -> None:
    found = destinations_of(ENDPOINT | {"OTEL_METRICS_EXPORTER": value})

    assert set(found.destinations[0].routes) == {Signal.TRACES, Signal.LOGS}
    assert len(found.warnings) == len(value.split(","))
    assert "is not offered here: it must be otlp or none" in found.warnings[0]


def test_otlp_among_several_exporters_is_otlp() -> None:
    assert set(routes(ENDPOINT | {"OTEL_METRICS_EXPORTER": "prometheus, otlp"})) == set(Signal)


@pytest.mark.parametrize(("value", "is_on"), [("true", False), ("TRUE", False), ("false", True), ("", True)])
def test_telemetry_as_a_whole_may_be_left_out(value: str, is_on: bool) -> None:  # noqa: FBT001 - a case
    found = destinations_of(ENDPOINT | {"OTEL_SDK_DISABLED": value})

    assert bool(found.destinations) is is_on
    assert found.warnings == ()


def test_left_out_means_the_file_too(tmp_path: Path) -> None:
    environ = {"OTEL_SDK_DISABLED": "true", "IGNIS_DESTINATIONS": str(tmp_path / "not-there.yaml")}

    assert destinations_of(environ).destinations == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1.5"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "9" * 5_000),
        ("OTEL_TRACES_EXPORTER", "carrier-pigeon"),
    ],
)
def test_a_value_that_means_nothing_is_passed_over_with_a_warning(name: str, value: str) -> None:
    """The specification's own rule: one environment is made for many programs."""
    found = destinations_of(ENDPOINT | {name: value})

    assert found.destinations == destinations_of(ENDPOINT).destinations
    (warning,) = found.warnings
    assert warning.startswith(f"{name}: ")
    assert len(warning) < 200


def test_insecure_is_true_or_false() -> None:
    found = destinations_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "1"})

    assert found.destinations[0].routes[Signal.TRACES].is_secure
    assert found.warnings == ("OTEL_EXPORTER_OTLP_INSECURE: '1' is taken for false: it must be true or false",)
    assert not routes({"OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", "OTEL_EXPORTER_OTLP_INSECURE": "True"})[
        Signal.TRACES
    ].is_secure


def test_no_time_out_is_an_hour() -> None:
    assert option("TIMEOUT", "0").timeout_seconds == 3_600


def test_enumerations_are_read_in_any_case() -> None:
    assert option("COMPRESSION", "GZip").compression is Compression.GZIP
    assert option("PROTOCOL", "GRPC").protocol is Protocol.GRPC


def test_all_mistakes_are_told_at_once_and_no_secret() -> None:
    found = mistakes(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@collector:4317",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs:4317",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "s3cret,grpc-x=1,api-key=s3cret%0A",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "key.pem",
            "IGNIS_DESTINATIONS": "/not/there.yaml",
        }
    )

    assert found == (
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4317' is refused: credentials in a URL are not used: "
            "give them as headers"
        ),
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS: entry 1 has no '=': it must be name=value, with a comma in a value written %2C",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'grpc-x' is set by each request itself: remove it",
        (
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS: the value of 'api-key' has letters other than printable ASCII, "
            "which headers cannot hold"
        ),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: is missing: for mutual TLS both a certificate and its key are needed",
        "IGNIS_DESTINATIONS: cannot read /not/there.yaml: No such file or directory",
    )


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(destinations_of(ENDPOINT | {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=s3cret"}))


def test_further_destinations_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "destinations.yaml"
    file.write_text("destinations: [{name: second, endpoint: 'http://second:4317'}]")

    found = destinations_of(ENDPOINT | {"IGNIS_DESTINATIONS": str(file)})

    assert [each.name for each in found.destinations] == ["default", "second"]


def test_names_are_given_once(tmp_path: Path) -> None:
    file = tmp_path / "destinations.yaml"
    file.write_text("destinations: [{name: default, endpoint: 'http://second:4317'}]")

    assert mistakes(ENDPOINT | {"IGNIS_DESTINATIONS": str(file)}) == (
        "IGNIS_DESTINATIONS: 2 destinations are named 'default': give each a name of its own",
    )


def test_there_are_sixteen_at_most(tmp_path: Path) -> None:
    file = tmp_path / "destinations.yaml"
    some = ", ".join(f"{{name: d{number}, endpoint: 'http://d:4317'}}" for number in range(16))
    file.write_text(f"destinations: [{some}]")

    assert len(destinations_of({"IGNIS_DESTINATIONS": str(file)}).destinations) == 16
    assert mistakes(ENDPOINT | {"IGNIS_DESTINATIONS": str(file)}) == (
        "IGNIS_DESTINATIONS: 17 destinations are named, of which 16 are allowed",
    )


VARIABLES = [
    f"OTEL_EXPORTER_OTLP_{signal}{name}"
    for signal in ("", "TRACES_", "LOGS_")
    for name in ("ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", "INSECURE", "CERTIFICATE", "CLIENT_KEY")
]


@given(st.dictionaries(st.sampled_from([*VARIABLES, "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"]), st.text()))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        found = destinations_of(environ)
    except SettingsInvalid:
        return

    for destination in found.destinations:
        assert list(destination.mistakes()) == []
        assert [list(route.mistakes()) for route in destination.routes.values()] == [[] for _ in destination.routes]
