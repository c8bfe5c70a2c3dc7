"""Endpoints as OpenTelemetry's specification has them, with its own examples."""

import pytest

from ignis_server.telemetry.delivery.endpoint import grpc_endpoint, http_base_endpoint, http_endpoint
from ignis_server.telemetry.model import Signal


@pytest.mark.parametrize(
    ("text", "address", "is_secure"),
    [
        ("http://collector:4317", "collector:4317", False),
        ("https://collector:4317/", "collector:4317", True),
        ("http://collector", "collector:4317", False),
        ("https://api.example.com", "api.example.com:443", True),
        ("http://[::1]:4317", "[::1]:4317", False),
        ("https://[::1]", "[::1]:443", True),
        ("collector:4317", "collector:4317", True),
        ("unix:///run/otlp.sock", "unix:///run/otlp.sock", True),
        ("dns:///collector:4317", "dns:///collector:4317", True),
    ],
)
def test_what_grpc_connects_to(text: str, address: str, is_secure: bool) -> None:  # noqa: FBT001 - a case
    assert grpc_endpoint(text, is_insecure=False) == (address, is_secure)


def test_a_scheme_counts_more_than_insecure_and_a_bare_name_less() -> None:
    assert grpc_endpoint("https://collector:4317", is_insecure=True).is_secure
    assert not grpc_endpoint("http://collector:4317", is_insecure=False).is_secure
    assert not grpc_endpoint("collector:4317", is_insecure=True).is_secure


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("http://collector:4318/mycollector/", "http://collector:4318/mycollector/v1/traces"),
        ("http://collector:4318/mycollector", "http://collector:4318/mycollector/v1/traces"),
        ("https://collector.example.com/?tenant=1", "https://collector.example.com/v1/traces?tenant=1"),
    ],
)
def test_signals_below_a_url_for_all_of_them(text: str, url: str) -> None:
    assert http_base_endpoint(text, Signal.TRACES) == (url, url.startswith("https"))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://collector:4318", "http://collector:4318/"),
        ("https://collector.example.com/v1/metrics/", "https://collector.example.com/v1/metrics/"),
        ("https://collector.example.com/intake?key=1#x", "https://collector.example.com/intake?key=1"),
    ],
)
def test_a_url_for_one_signal_is_left_as_it_is(text: str, url: str) -> None:
    assert http_endpoint(text) == (url, url.startswith("https"))


@pytest.mark.parametrize(
    "text", ["", "collector:4318", "ftp://collector", "http://", "http://:80", "http://a:b", "http://a b", "http://a:0"]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a URL of a host, such as http://localhost:4318"):
        http_endpoint(text)


@pytest.mark.parametrize("text", ["http://user:s3cret@host", "http://s3cret@host", "http://user:s3cret@host:bad"])
def test_credentials_in_a_url_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="is refused") as caught:
        http_endpoint(text)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["http://a:4317/v1/traces", "https://a?x=1", "a b:4317"])
def test_what_grpc_cannot_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is refused"):
        grpc_endpoint(text, is_insecure=False)
