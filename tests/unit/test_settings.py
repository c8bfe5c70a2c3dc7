"""Settings."""

from pathlib import Path

import pytest

from ignis_server.errors import SettingsInvalid
from ignis_server.settings import Settings


def test_paths_are_separated_by_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNIS_CATALOG_PATHS", "/a:/b/c:")

    assert Settings.read().catalog_paths == (Path("/a"), Path("/b/c"))


def test_a_flag_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNIS_LISTEN", "127.0.0.1:1")

    assert Settings.read(listen="127.0.0.1:2").listen == "127.0.0.1:2"
    assert Settings.read(listen=None).listen == "127.0.0.1:1"


def test_opentelemetrys_own_variables_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "2000")

    settings = Settings.read()

    (destination,) = settings.destinations.destinations
    assert {route.endpoint for route in destination.routes.values()} == {"collector:4317"}
    assert settings.metric_export_milliseconds == 2_000


def test_a_flag_comes_before_opentelemetrys_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")

    (destination,) = Settings.read(OTEL_EXPORTER_OTLP_ENDPOINT="http://other:4317").destinations.destinations

    assert {route.endpoint for route in destination.routes.values()} == {"other:4317"}


def test_all_mistakes_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNIS_LISTEN", "nonsense")
    monkeypatch.setenv("IGNIS_DRAIN_SECONDS", "-1")
    monkeypatch.setenv("IGNIS_LOG_LEVEL", "loud")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317/path")

    with pytest.raises(SettingsInvalid) as caught:
        Settings.read()

    assert [mistake.partition(":")[0] for mistake in caught.value.mistakes] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "listen",
        "drain_seconds",
        "log_level",
    ]
    assert "'nonsense' is refused" in caught.value.mistakes[1]


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "10.0.0.7:50051", "example.org:50051"])
def test_other_hosts_than_loopback_are_refused_unless_told_so(listen: str) -> None:
    with pytest.raises(SettingsInvalid, match="callers are not authenticated"):
        Settings.read(listen=listen)

    assert Settings.read(listen=listen, insecure=True).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:50051", "[::1]:50051"])
def test_loopback_needs_no_leave(listen: str) -> None:
    assert Settings.read(listen=listen).listen == listen


def test_an_empty_endpoint_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")

    assert Settings.read().destinations.destinations == ()
