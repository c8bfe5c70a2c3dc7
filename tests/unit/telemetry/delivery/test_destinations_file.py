"""A file of destinations: what may be said in it, in three formats, and how each mistake is told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.delivery.destination import (
    Compression,
    Destination,
    OAuth2,
    Protocol,
    Route,
    TlsFiles,
)
from ignis_server.telemetry.delivery.destinations_file import read_destinations
from ignis_server.telemetry.model import Signal

FULL = """
destinations:
  - name: platform
    protocol: http/protobuf
    endpoint: https://otlp.example.com/base
    signals: [traces, logs]
    headers: {X-Tenant: one}
    headers_file: /run/headers
    oauth2:
      token_url: https://login.example.com/token
      client_id: ignis
      client_secret_file: /run/secret
      scope: otlp
      audience: platform
      secret_in_body: true
      ca_file: /run/login-ca.pem
    compression: gzip
    timeout_seconds: 2.5
    ca_file: /run/ca.pem
    certificate_file: /run/cert.pem
    key_file: /run/key.pem
    concurrent_requests: 8
    max_request_bytes: 1000000
    logs:
      protocol: grpc
      endpoint: logs:4317
      insecure: true
      headers: {}
      timeout_seconds: 30
"""


def read(folder: Path, text: str, suffix: str = ".yaml") -> tuple[list[Destination], list[str]]:
    path = folder / f"destinations{suffix}"
    path.write_text(text)
    return read_destinations(path)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    destinations, mistakes = read(tmp_path, FULL)

    assert mistakes == []
    oauth2 = OAuth2(
        "https://login.example.com/token",
        "ignis",
        Path("/run/secret"),
        scope="otlp",
        audience="platform",
        is_secret_in_body=True,
        ca=Path("/run/login-ca.pem"),
    )
    tls = TlsFiles(Path("/run/ca.pem"), Path("/run/cert.pem"), Path("/run/key.pem"))
    assert destinations == [
        Destination(
            "platform",
            {
                Signal.TRACES: Route(
                    Protocol.HTTP,
                    "https://otlp.example.com/base/v1/traces",
                    is_secure=True,
                    headers=(("x-tenant", "one"),),
                    headers_file=Path("/run/headers"),
                    oauth2=oauth2,
                    compression=Compression.GZIP,
                    timeout_seconds=2.5,
                    tls=tls,
                ),
                Signal.LOGS: Route(
                    Protocol.GRPC,
                    "logs:4317",
                    is_secure=False,
                    headers_file=Path("/run/headers"),
                    oauth2=oauth2,
                    compression=Compression.GZIP,
                    timeout_seconds=30,
                    tls=tls,
                ),
            },
            concurrent_requests=8,
            max_request_bytes=1_000_000,
        )
    ]


def test_three_formats(tmp_path: Path) -> None:
    as_yaml = read(tmp_path, "destinations:\n- name: a\n  endpoint: http://a:4317\n  token_file: t")
    as_json = read(
        tmp_path, json.dumps({"destinations": [{"name": "a", "endpoint": "http://a:4317", "token_file": "t"}]}), ".json"
    )
    as_toml = read(tmp_path, '[[destinations]]\nname = "a"\nendpoint = "http://a:4317"\ntoken_file = "t"', ".toml")

    assert as_yaml == as_json == as_toml
    assert as_yaml[1] == []
    assert set(as_yaml[0][0].routes) == set(Signal)


@pytest.mark.parametrize(
    ("text", "suffix", "mistake"),
    [
        ("destinations: [", ".yaml", "is not YAML: "),
        ("destinations = [", ".toml", "is not TOML: "),
        ("\x00", ".yaml", "is not YAML, JSON or TOML"),
        ("[]", ".yaml", "the file: input should be"),
        ("", ".yaml", "the file: input should be"),
        ("destination: []", ".yaml", "destinations: field required"),
        ("#" * (1 << 20) + "#", ".yaml", "is larger than 1048576 bytes"),
        (f"destinations: {'[' * 5_000}", ".yaml", "is not YAML"),
    ],
)
def test_what_is_no_file_of_destinations(tmp_path: Path, text: str, suffix: str, mistake: str) -> None:
    destinations, mistakes = read(tmp_path, text, suffix)

    assert destinations == []
    assert any(mistake in each for each in mistakes)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_bytes(b"a = '\xff'")

    assert read_destinations(path) == ([], [f"{path}: is not YAML, JSON or TOML: it must be one of them, in UTF-8"])


def test_all_mistakes_of_all_destinations_at_once(tmp_path: Path) -> None:
    _, mistakes = read(
        tmp_path,
        """
destinations:
  - name: Not A Name
    signals: []
    endpoint: http://a:4317
    concurrent_requests: 0
    max_request_bytes: 100000000
  - name: b
  - name: c
    endpoint: http://c:4317/v1/traces
    protocol: grpc
    logs: {endpoint: 'http://user:s3cret@c:4317'}
  - name: d
    endpoint: http://d:4317
    headers: {Authorization: s3cret, content-type: x}
    token_file: t
    certificate_file: c
    timeout_seconds: 0
    traces: {timeout_seconds: 100000}
    oauth2: {token_url: 'http://login.example.com/t', client_id: a, client_secret_file: s}
""",
    )

    assert mistakes == [
        (
            "destinations.0.name: 'Not A Name' is refused: it must be of lower-case letters, digits, '-', '_' and '.', "
            "63 at most, the first a letter or a digit"
        ),
        "destinations.0.concurrent_requests: 0 is refused: it must be 1 to 64",
        "destinations.0.max_request_bytes: 100000000 is refused: it must be 1 to 67108864, OTLP's own limit",
        "destinations.0.signals: is empty: name at least one of traces, metrics and logs, or remove the destination",
        "destinations.1.endpoint: is missing: it must say where, as in https://otlp.example.com",
        "destinations.2.endpoint: 'http://c:4317/v1/traces' is refused: gRPC has no use for a path: keep http://c:4317",
        "destinations.2.logs.endpoint: 'http://c:4317' is refused: credentials in a URL are not used: give them as headers",
        "destinations.3.headers: 'content-type' is set by each request itself: remove it",
        "destinations.3.traces.timeout_seconds: 100000 is refused: it must be greater than 0 and at most 3600 seconds",
        "destinations.3.key_file: is missing: for mutual TLS both a certificate and its key are needed",
        "destinations.3.token_file: is one too many: headers and token_file and oauth2 each give an authorization; keep one",
        (
            "destinations.3.oauth2.token_url: http://login.example.com would send the secret in the clear: "
            "it must begin with https://"
        ),
        "destinations.3.timeout_seconds: 0 is refused: it must be greater than 0 and at most 3600 seconds",
    ]


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ("{name: a, endpoint: h, tokenfile: x}", "destinations.0.tokenfile: extra inputs are not permitted"),
        ("{name: a, endpoint: h, traces: {nmae: x}}", "destinations.0.traces.nmae: extra inputs are not permitted"),
        ("{name: a, endpoint: h, protocol: http/json}", "destinations.0.protocol: input should be 'grpc' or"),
        ("{name: a, endpoint: h, signals: [spans]}", "destinations.0.signals.0: input should be 'traces', "),
        ("{name: a, endpoint: h, headers: {a: 1}}", "destinations.0.headers.a: input should be a valid string"),
        ("{name: 1, endpoint: h}", "destinations.0.name: input should be a valid string"),
        ("{name: a, endpoint: ''}", "destinations.0.endpoint: string should have at least 1 character"),
        ("{name: a, endpoint: h, oauth2: {}}", "destinations.0.oauth2.client_id: field required"),
    ],
)
def test_what_a_destination_cannot_say(tmp_path: Path, entry: str, mistake: str) -> None:
    _, mistakes = read(tmp_path, f"destinations: [{entry}]")

    assert any(each.startswith(mistake) for each in mistakes), mistakes


def test_seventeen_are_too_many(tmp_path: Path) -> None:
    _, mistakes = read(tmp_path, f"destinations: [{', '.join(['{name: a, endpoint: h}'] * 17)}]")

    assert mistakes == ["destinations: list should have at most 16 items after validation, not 17"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8/t", "http://[::1]/t", "http://localhost/t"])
def test_a_token_endpoint_on_this_machine_needs_no_tls(tmp_path: Path, url: str) -> None:
    oauth2 = f"{{token_url: '{url}', client_id: a, client_secret_file: s}}"

    assert read(tmp_path, f"destinations: [{{name: a, endpoint: h, oauth2: {oauth2}}}]")[1] == []


@pytest.mark.parametrize("url", ["nix", "https://", "https://u:s3cret@h/t", "http://a:b/t", "ftp://h/t"])
def test_a_token_endpoint_is_a_url(tmp_path: Path, url: str) -> None:
    oauth2 = f"{{token_url: '{url}', client_id: a, client_secret_file: s}}"

    (mistake,) = read(tmp_path, f"destinations: [{{name: a, endpoint: h, oauth2: {oauth2}}}]")[1]

    assert "oauth2.token_url: must be a URL without user and password" in mistake
    assert "s3cret" not in mistake


def test_no_secret_is_shown(tmp_path: Path) -> None:
    destinations, mistakes = read(tmp_path, "destinations: [{name: a, endpoint: h, headers: {api-key: s3cret}}]")
    _, wrong = read(tmp_path, "destinations: [{name: a, endpoint: h, headers: {api-key: [s3cret]}}]")

    assert destinations[0].routes[Signal.TRACES].headers == (("api-key", "s3cret"),)
    assert mistakes == []
    assert wrong
    assert "s3cret" not in repr(destinations) + str(wrong)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["name", "endpoint", "protocol", "signals", "headers", "oauth2", "timeout_seconds", "traces", "ca_file", "insecure"]
)


@given(st.lists(st.dictionaries(fields, values), max_size=3))
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, given_destinations: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps({"destinations": given_destinations}))

    destinations, mistakes = read_destinations(path)

    assert mistakes or len(destinations) == len(given_destinations)
