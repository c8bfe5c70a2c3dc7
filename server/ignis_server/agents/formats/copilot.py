"""GitHub Copilot: custom agents in `*.agent.md`, and chat modes, as they were called before."""

from ignis_server.agents.formats.front_matter import read_front_matter
from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import imported_agent
from ignis_server.agents.model import AgentFormat

__all__ = ["Copilot"]

FORMATS = {".agent.md": AgentFormat.COPILOT_AGENT, ".chatmode.md": AgentFormat.COPILOT_CHAT_MODE}


class Copilot:
    """Reads both kinds, which differ only in their suffix."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file's suffix is one of Copilot's."""
        return file.path.lower().endswith(tuple(FORMATS))

    def read(self, file: TextFile) -> Imported:
        """Return the agent."""
        kind = next(kind for suffix, kind in FORMATS.items() if file.path.lower().endswith(suffix))
        return imported_agent(file.path, read_front_matter(file), kind)
