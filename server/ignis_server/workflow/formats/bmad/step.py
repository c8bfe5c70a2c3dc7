"""One entry of a BMAD sequence: its parts, and the instruction that they make."""

from dataclasses import dataclass

from ignis_server.workflow.formats.bmad.words import bare, identifier, is_nothing, listed, rendered
from ignis_server.workflow.formats.yaml_tree import Entry, MappingNode

__all__ = ["BmadStep"]

# How each key is said in an instruction, in this order. The values are kept word for word.
SAID = {
    "action": "Action",
    "creates": "Create",
    "updates": "Update",
    "validates": "Validate",
    "implements": "Implement",
    "uses": "Use",
    "requires": "Requires",
    "optional_steps": "May be done first",
    "condition": "Only if",
    "repeats": "Repeat",
    "continue": "Continue",
    "duration": "Time",
}
# What tells steps of one agent apart, and the verb that stands before it in an id.
VERBS = {"creates": "", "updates": "update", "validates": "validate", "implements": "implement", "uses": "use"}
KNOWN = frozenset({"agent", "step", "optional", "notes", "routes", *SAID})
VARIOUS = "various"


@dataclass(frozen=True, slots=True)
class BmadStep:
    """What stands in an entry."""

    node: MappingNode

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.node.line

    def text(self, key: str) -> str:
        """Return what stands under a key, as text; empty where nothing does."""
        entry = self.node.get(key)
        return rendered(entry.value) if entry else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return what stands under a key, as a list."""
        entry = self.node.get(key)
        return listed(entry.value) if entry else ()

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the whole entry where it is not there."""
        entry = self.node.get(key)
        return entry.line if entry else self.line

    @property
    def agents(self) -> tuple[str, ...]:
        """Who may do it, as in "analyst/pm"; empty where nobody is named, or anybody."""
        named = tuple(part.strip() for each in self.texts("agent") for part in each.split("/") if part.strip())
        return () if named == (VARIOUS,) else named

    @property
    def is_work(self) -> bool:
        """Whether any agent is to do it."""
        return bool(self.text("agent"))

    @property
    def is_optional(self) -> bool:
        """Whether it says that it may be left undone."""
        return self.text("optional").lower() in {"true", "yes"}

    @property
    def routes(self) -> tuple[Entry, ...]:
        """The ways that go on from here."""
        entry = self.node.get("routes")
        return entry.value.entries if entry and isinstance(entry.value, MappingNode) else ()

    @property
    def unknown(self) -> tuple[Entry, ...]:
        """Keys that BMAD's own workflows do not have."""
        return tuple(each for each in self.node.entries if each.key not in KNOWN and not is_nothing(each.value))

    @property
    def title(self) -> str:
        """The name that it has, or has by a key with nothing below it."""
        named = (each.key for each in self.node.entries if each.key not in KNOWN and is_nothing(each.value))
        return self.text("step") or next(named, "")

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of what it makes or changes."""
        return tuple(dict.fromkeys(bare(each) for key in ("creates", "updates") for each in self.texts(key)))

    @property
    def identifier(self) -> str:
        """An id that says what the step is."""
        if self.title:
            return identifier(self.title)
        if " " not in self.text("action") and self.text("action"):
            return identifier(self.text("action"))
        verb = next((verb for key, verb in VERBS.items() if self.text(key)), "")
        what = next((bare(self.texts(key)[0]) for key in VERBS if self.texts(key)), self.text("action"))
        agent = "-".join(self.agents) or VARIOUS
        return identifier("-".join(part for part in (agent, verb, what.rpartition(".")[0] or what) if part))

    def instruction(self) -> str:
        """Return everything that the step says about what is to be done."""
        said = [f"Agent: {self.text('agent')}"] if len(self.agents) > 1 else []
        said += [f"{word}: {text}" for key, word in SAID.items() if (text := _on_a_line(self.text(key)))]
        said += [f"{each.key}: {_on_a_line(rendered(each.value))}" for each in self.unknown]
        return "\n\n".join(part for part in ("\n".join(said), self.text("notes")) if part)


def _on_a_line(text: str) -> str:
    return "; ".join(part.removeprefix("- ") for part in text.split("\n"))
