"""The connection to a server: how it is kept, bounded, retried and secured."""

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

import grpc

from ignis.agents.v1 import agent_loader_pb2
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2

__all__ = ["Metadata", "open_channel", "to_metadata"]

Metadata = tuple[tuple[str, str], ...]

AGENT_LOADER: Final = agent_loader_pb2.DESCRIPTOR.services_by_name["AgentLoaderService"].full_name
TELEMETRY: Final = telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"].full_name
WORKFLOW: Final = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"].full_name

# The greatest budget, 10,000,000 tokens, is 40 to 50 MB of prose. gRPC's own bound, 4 MiB, is met at a tenth.
MAX_RESPONSE_BYTES: Final = 64 << 20

# A status with all violations of a request can be tens of KiB; gRPC's own bound, 8 KiB, would turn it into a
# RESOURCE_EXHAUSTED that says nothing about them.
MAX_METADATA_BYTES: Final = 64 << 10

# Four attempts wait about 0.1, 0.2 and 0.4 s (each ±20 %): long enough for another replica to take over.
#
# The throttle keeps retries from feeding an outage. Each failed attempt takes one of `maxTokens`, a success
# gives back `tokenRatio`, and below half nothing is retried: that is after 50 failures, and from then on
# there is one retry for ten successes. All clients of a target in this process share it.
SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            "name": [
                {"service": AGENT_LOADER},
                # Not VerifyDelivery: UNAVAILABLE is mostly its destination's, whose 10 s of patience would use up the deadline
                # and hide what the server said.
                {"service": TELEMETRY, "method": "GetDeliveryLedger"},
                {"service": TELEMETRY, "method": "PreviewEgress"},
                # All of it: what changes something carries a request id or a lease, and has no second effect.
                {"service": WORKFLOW},
            ],
            "waitForReady": False,
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}

OPTIONS: Final = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    # A peer that vanished without a word is found while a call waits for it: a ping after 30 s of silence,
    # 10 s for its answer. An idle connection is not pinged. Servers of stock settings take offence only at
    # pings that go on for minutes in one silent call, and no method here takes as long.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A retry is of no use before the next attempt to connect, which gRPC would put off by 1 s at first and by
    # 120 s in the end.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """Return a channel that connects with the first call.

    Calls that end UNAVAILABLE are tried again by gRPC itself, within their deadline; nothing else is. That is
    safe because the methods that are named only read, or know a repetition when they see one. Calls do not wait for a server that refuses
    connections (`waitForReady` is false): they fail after their last attempt, in about 0.7 s.

    Retries follow this schedule whatever google.rpc.RetryInfo says; the error that remains has it as
    `retry_after`, for the caller to follow.
    """
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    return grpc.aio.secure_channel(target, credentials, options=OPTIONS)


def to_metadata(metadata: Mapping[str, str], *, target: str, may_show_authorization: bool) -> Metadata:
    """Return metadata as it is sent with every call: the names of HTTP/2 headers are in lower case.

    Raises:
        ValueError: There is an authorization which everyone between here and the target could read.
    """
    sent = tuple((name.lower(), value) for name, value in metadata.items())
    if "authorization" in dict(sent) and not may_show_authorization and not _is_local(target):
        raise ValueError(
            f"authorization would be sent to {target} in plain text: pass credentials, or "
            "allow_insecure_authorization=True where something else encrypts the connection"
        )
    return sent


def _is_local(target: str) -> bool:
    """Tell whether a target is certainly this machine; what cannot be told is not."""
    if target.startswith("unix:"):
        return True
    host = target.rpartition("/")[2].rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
