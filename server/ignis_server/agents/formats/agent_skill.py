"""Agent Skills: a folder whose SKILL.md instructs a model, with material beside it that is not loaded."""

from ignis_server.agents.formats.front_matter import read_front_matter
from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import category_of, imported_agent
from ignis_server.agents.model import AgentFormat

__all__ = ["AgentSkill"]


class AgentSkill:
    """Reads SKILL.md; the skill is called by its folder where it does not name itself."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is a skill's."""
        return file.path.rpartition("/")[2].lower() == "skill.md"

    def read(self, file: TextFile) -> Imported:
        """Return the skill; its id is its folder's path."""
        folder = file.path.rpartition("/")[0]
        return imported_agent(
            file.path,
            read_front_matter(file),
            AgentFormat.AGENT_SKILL,
            agent_id=folder or "SKILL",
            category=category_of(folder),
            tool_keys=("allowed-tools", "tools"),
        )
