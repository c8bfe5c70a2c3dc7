"""Plain Markdown: a text without front matter that instructs a model, named by its file."""

from ignis_server.agents.formats.front_matter import FrontMatter
from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import PARAGRAPH, imported_agent, stem_of
from ignis_server.agents.model import AgentFormat

__all__ = ["PlainMarkdown"]


class PlainMarkdown:
    """Reads Markdown that nothing else claims: nobody promised it a name or a description."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is Markdown."""
        return file.path.lower().endswith((".md", ".markdown"))

    def read(self, file: TextFile) -> Imported:
        """Return the agent, called by its file and described by its first paragraph, or by its title."""
        match = PARAGRAPH.search(file.text)
        description = match[0] if match else file.text.strip().lstrip("# ").partition("\n")[0]
        front = FrontMatter({"name": stem_of(file.path), "description": description}, file.text)
        return imported_agent(file.path, front, AgentFormat.PLAIN_MARKDOWN)
