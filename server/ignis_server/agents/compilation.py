"""Compiling files one by one: what each says of agents and teams, with exact token counts.

What a file gives depends on nothing but its path and content, so it can be kept and used again while those stay.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ignis_server.agents.formats import Imported, decode, import_file
from ignis_server.agents.model import AgentDefinition, TeamDefinition
from ignis_server.agents.rendering import render_card, render_core, render_full
from ignis_server.agents.sections import Core, core_of
from ignis_server.agents.source import RawFile
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.diagnostics import Diagnostic

__all__ = ["CompiledAgent", "CompiledFile", "compile_agents", "compile_files", "digest_of"]


@dataclass(frozen=True, slots=True)
class CompiledAgent:
    """An agent with its core, and with the tokens of what is sent of it; `fingerprint` is a digest of its definition."""

    definition: AgentDefinition
    fingerprint: str
    core: Core
    card_tokens: int
    core_tokens: int
    full_tokens: int


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """What one file gave: an agent, a team or a diagnostic at least."""

    agents: tuple[CompiledAgent, ...]
    teams: tuple[TeamDefinition, ...]
    diagnostics: tuple[Diagnostic, ...]


def compile_files(files: Iterable[RawFile], tokenizer: Tokenizer) -> list[CompiledFile]:
    """Import files and count what is sent of their agents; pure but for the tokenizer's threads."""
    imported = [_imported(file) for file in files]
    compiled = iter(compile_agents([agent for each in imported for agent in each.agents], tokenizer))
    return [CompiledFile(tuple(next(compiled) for _ in each.agents), each.teams, each.diagnostics) for each in imported]


def compile_agents(definitions: Sequence[AgentDefinition], tokenizer: Tokenizer) -> list[CompiledAgent]:
    """Take the core of definitions, and count the tokens of each level of detail."""
    cores = [core_of(definition.body) for definition in definitions]
    counts = zip(
        tokenizer.count([render_card(definition) for definition in definitions]),
        tokenizer.count([render_core(definition, core) for definition, core in zip(definitions, cores, strict=True)]),
        tokenizer.count([render_full(definition) for definition in definitions]),
        strict=True,
    )
    return [
        CompiledAgent(definition, _fingerprint(definition), core, *tokens)
        for definition, core, tokens in zip(definitions, cores, counts, strict=True)
    ]


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes as it is written everywhere in the API."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _imported(file: RawFile) -> Imported:
    text, diagnostics = decode(file.path, file.data)
    if text is None:
        return Imported(diagnostics=diagnostics)
    imported = import_file(text)
    return Imported(imported.agents, imported.teams, (*diagnostics, *imported.diagnostics))


def _fingerprint(definition: AgentDefinition) -> str:
    return digest_of(json.dumps(asdict(definition), ensure_ascii=False, separators=(",", ":")).encode())
