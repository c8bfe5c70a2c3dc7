"""Claude Code subagents: Markdown whose front matter names an agent and says when to use it."""

from ignis_server.agents.formats.front_matter import has_front_matter, read_front_matter
from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import imported_agent
from ignis_server.agents.model import AgentFormat

__all__ = ["ClaudeSubagent"]


class ClaudeSubagent:
    """Reads any Markdown with front matter that no other format claims."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is Markdown that begins with front matter."""
        return file.path.lower().endswith((".md", ".markdown")) and has_front_matter(file)

    def read(self, file: TextFile) -> Imported:
        """Return the agent, its tools given as a list or separated by commas."""
        return imported_agent(file.path, read_front_matter(file), AgentFormat.CLAUDE_SUBAGENT)
