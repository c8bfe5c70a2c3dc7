"""What several messages of the API have in common: enums, filters, summaries, evidence, page tokens."""

from typing import Final

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.bundle import Evidence
from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.model import AgentFilter, AgentFormat
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.errors import PageTokenInvalid
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor

__all__ = [
    "FORMATS",
    "MAX_LABEL_CHARACTERS",
    "MAX_PAGE_BYTES",
    "MAX_REFERENCE_CHARACTERS",
    "SEVERITIES",
    "filter_binding",
    "from_diagnostic",
    "from_evidence",
    "from_position",
    "from_summary",
    "to_filter",
    "to_offset",
    "to_position",
]

# Below the 4 MiB that gRPC clients accept unless told otherwise.
MAX_PAGE_BYTES: Final = 2 << 20
MAX_FORMATS: Final = 16
MAX_CATEGORIES: Final = 64
MAX_LABEL_CHARACTERS: Final = 128
MAX_REFERENCE_CHARACTERS: Final = 1_024
MAX_OFFSET_DIGITS: Final = 9
EVIDENCE_DIGITS: Final = 4
FORMATS: Final = {
    AgentFormat.CLAUDE_SUBAGENT: pb.AGENT_FORMAT_CLAUDE_SUBAGENT,
    AgentFormat.AGENT_SKILL: pb.AGENT_FORMAT_AGENT_SKILL,
    AgentFormat.BMAD_AGENT: pb.AGENT_FORMAT_BMAD_AGENT,
    AgentFormat.COPILOT_AGENT: pb.AGENT_FORMAT_COPILOT_AGENT,
    AgentFormat.COPILOT_CHAT_MODE: pb.AGENT_FORMAT_COPILOT_CHAT_MODE,
    AgentFormat.CREWAI_AGENT: pb.AGENT_FORMAT_CREWAI_AGENT,
    AgentFormat.A2A_CARD: pb.AGENT_FORMAT_A2A_CARD,
    AgentFormat.PLAIN_MARKDOWN: pb.AGENT_FORMAT_PLAIN_MARKDOWN,
}
SEVERITIES: Final = {
    Severity.NOTE: pb.SEVERITY_NOTE,
    Severity.WARNING: pb.SEVERITY_WARNING,
    Severity.ERROR: pb.SEVERITY_ERROR,
}
FORMAT_OF_NUMBER: Final = {int(number): meaning for meaning, number in FORMATS.items()}


def to_filter(checks: Checks, message: pb.AgentFilter) -> AgentFilter:
    """Validate a filter; what it breaks is added to the checks."""
    if len(message.formats) > MAX_FORMATS:
        checks.add("filter.formats", f"{len(message.formats)} entries are more than the {MAX_FORMATS} allowed")
    formats = {
        checks.member(f"filter.formats[{number}]", value, pb.AgentFormat.DESCRIPTOR, FORMAT_OF_NUMBER.get)
        for number, value in enumerate(message.formats[:MAX_FORMATS])
    }
    categories = checks.labels(
        "filter.categories", message.categories, max_count=MAX_CATEGORIES, max_characters=MAX_LABEL_CHARACTERS
    )
    return AgentFilter(
        formats=frozenset(each for each in formats if each is not None),
        categories=frozenset(category.casefold() for category in categories),
    )


def filter_binding(agent_filter: AgentFilter) -> str:
    """Return what a page token carries of a filter, so that it cannot be used with another."""
    return f"{sorted(agent_filter.formats)}{sorted(agent_filter.categories)}"


def from_summary(agent: CatalogAgent) -> pb.AgentSummary:
    """Encode what a listing says of an agent."""
    definition = agent.definition
    return pb.AgentSummary(
        id=definition.agent_id,
        name=definition.name,
        digest=agent.digest,
        description=definition.description,
        format=FORMATS[definition.format],
        category=definition.category,
        card_tokens=agent.card.tokens,
        core_tokens=agent.core.tokens,
        full_tokens=agent.full.tokens,
    )


def from_evidence(evidence: Evidence) -> pb.Evidence:
    """Encode why an agent stands where it stands."""
    return pb.Evidence(
        # What is beyond depends on the order in which a processor adds up.
        score=round(evidence.score, EVIDENCE_DIGITS),
        lexical=round(evidence.lexical, EVIDENCE_DIGITS),
        semantic=round(evidence.semantic, EVIDENCE_DIGITS),
        spelling=round(evidence.spelling, EVIDENCE_DIGITS),
        matched_terms=evidence.matched_terms,
        need_indexes=evidence.need_indexes,
    )


def from_diagnostic(diagnostic: Diagnostic) -> pb.Diagnostic:
    """Encode a finding of an importer."""
    return pb.Diagnostic(
        path=diagnostic.path,
        line=diagnostic.line,
        severity=SEVERITIES[diagnostic.severity],
        code=diagnostic.code,
        message=diagnostic.message,
        remedy=diagnostic.remedy,
    )


def to_position(token: str, method: str, binding: str) -> str:
    """Return where a page begins, empty for the first one.

    Raises:
        PageTokenInvalid: The token is none of ours, or of another request.
    """
    return decode_cursor(token, method=method, binding=binding) if token else ""


def to_offset(token: str, method: str, binding: str) -> int:
    """Return how many entries the pages before had.

    Raises:
        PageTokenInvalid: The token is none of ours, or of another request.
    """
    position = to_position(token, method, binding) or "0"
    if not (position.isascii() and position.isdecimal() and len(position) <= MAX_OFFSET_DIGITS):
        raise PageTokenInvalid(method)
    return int(position)


def from_position(position: int | str | None, method: str, binding: str) -> str:
    """Return the token of the page that begins at a position; empty where there is none."""
    return "" if position is None else encode_cursor(str(position), method=method, binding=binding)
