"""The formats in which agents are written down: one importer each, asked in order of how sure they are."""

from ignis_server.agents.formats.a2a_card import A2aCard
from ignis_server.agents.formats.agent_skill import AgentSkill
from ignis_server.agents.formats.bmad_agent import BmadAgent
from ignis_server.agents.formats.bmad_team import BmadTeam
from ignis_server.agents.formats.bounds import bounded
from ignis_server.agents.formats.claude_subagent import ClaudeSubagent
from ignis_server.agents.formats.copilot import Copilot
from ignis_server.agents.formats.crewai import CrewAi
from ignis_server.agents.formats.decode import decode
from ignis_server.agents.formats.importer import Imported, Importer, TextFile
from ignis_server.agents.formats.not_agents import NotAgents, UnknownFormat
from ignis_server.agents.formats.plain_markdown import PlainMarkdown

__all__ = ["IMPORTERS", "Imported", "Importer", "TextFile", "decode", "import_file"]

# From the surest sign (a file's own suffix or name) to the weakest (being Markdown at all).
IMPORTERS: tuple[Importer, ...] = (
    Copilot(),
    AgentSkill(),
    A2aCard(),
    CrewAi(),
    NotAgents(),
    BmadTeam(),
    BmadAgent(),
    ClaudeSubagent(),
    PlainMarkdown(),
    UnknownFormat(),
)


def import_file(file: TextFile) -> Imported:
    """Read a file by the first importer that recognises it: an agent, a team or a diagnostic at least."""
    return bounded(next(importer for importer in IMPORTERS if importer.recognises(file)).read(file))
