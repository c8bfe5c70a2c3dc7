"""Messages with every field set, and what the client is to make of them."""

import hashlib

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import AgentFormat, AgentSummary, Evidence

__all__ = [
    "EVIDENCE",
    "EVIDENCE_MESSAGE",
    "SUMMARY",
    "SUMMARY_MESSAGE",
    "bundle_message",
    "summary_message",
]

SUMMARY_MESSAGE = pb.AgentSummary(
    id="web/nextjs",
    name="nextjs",
    digest="sha256:11",
    description="Builds Next.js storefronts.",
    format=pb.AGENT_FORMAT_CLAUDE_SUBAGENT,
    category="web",
    card_tokens=12,
    core_tokens=500,
    full_tokens=1_200,
)
SUMMARY = AgentSummary(
    id="web/nextjs",
    name="nextjs",
    digest="sha256:11",
    description="Builds Next.js storefronts.",
    format=AgentFormat.CLAUDE_SUBAGENT,
    category="web",
    card_tokens=12,
    core_tokens=500,
    full_tokens=1_200,
)
EVIDENCE_MESSAGE = pb.Evidence(
    score=0.5,
    lexical=0.25,
    semantic=-0.125,
    spelling=0.75,
    matched_terms=["next.js", "storefront"],
    need_indexes=[1, 0],
)
EVIDENCE = Evidence(
    score=0.5,
    lexical=0.25,
    semantic=-0.125,
    spelling=0.75,
    matched_terms=("next.js", "storefront"),
    need_indexes=(1, 0),
)


def summary_message(agent_id: str) -> pb.AgentSummary:
    """Return a summary of which only the id matters."""
    return pb.AgentSummary(id=agent_id)


def bundle_message(*contents: str) -> pb.Bundle:
    """Return a bundle with the digest of its text."""
    text = "".join(contents).encode()
    return pb.Bundle(
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        agents=[pb.LoadedAgent(content=content) for content in contents],
        size_bytes=len(text),
    )
