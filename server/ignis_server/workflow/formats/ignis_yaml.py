"""Our own format: a YAML mapping with a name, inputs and steps. docs/workflow.schema.json is made of what stands here."""

from dataclasses import replace

from ignis_server.workflow import limits
from ignis_server.workflow.formats.collection_shapes import Either, ListOf, MapOf, Meant
from ignis_server.workflow.formats.importer import Located
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.record import Field, Fields, Record
from ignis_server.workflow.formats.scalar_shapes import Anything, Choice, Text, Whole
from ignis_server.workflow.formats.shape import Schema, Unread
from ignis_server.workflow.formats.step_fields import CHOICES, NAME, STEP
from ignis_server.workflow.formats.yaml_tree import MappingNode
from ignis_server.workflow.model import Definition, Guidance, InputDefinition, InputType
from ignis_server.workflow.values import NULL, Json, decode, kind_of

__all__ = ["IgnisYaml", "json_schema"]

VERSION = 1

# Inputs.
TYPE = Field("type", Choice(InputType), "What it must be.")
INPUT_DESCRIPTION = Field("description", Text(limits.MAX_DESCRIPTION_CHARACTERS), "What it is for.", "")
DEFAULT: Field[Json] = Field(
    "default",
    Anything(limits.MAX_DESCRIPTION_CHARACTERS),
    "What holds where a run is given nothing, which may be null. A run must be given it where this is left out.",
    NULL,
)
INPUT_CHOICES = Field("choices", CHOICES, "The only texts that it may be.", ())


def _input_problem(fields: Fields) -> tuple[str, str] | None:
    default, choices, wanted = decode(fields[DEFAULT]), fields[INPUT_CHOICES], fields[TYPE]
    if choices and wanted is not InputType.TEXT:
        return f"has choices, which are texts, and is of type {wanted}", "write type: text"
    if default is None:
        return None
    if wanted is not InputType.ANY and kind_of(default) != wanted.value:
        return f"has a default of type {kind_of(default)}, and is of type {wanted}", "make them agree"
    if choices and default not in choices:
        return "has a default that is none of its choices", f"write one of {', '.join(choices)}"
    return None


INPUT = Record(
    (TYPE, INPUT_DESCRIPTION, DEFAULT, INPUT_CHOICES),
    lambda fields: InputDefinition(
        name="",
        type=fields[TYPE],
        description=fields[INPUT_DESCRIPTION],
        is_required=not fields.has(DEFAULT),
        default=fields[DEFAULT],
        choices=fields[INPUT_CHOICES],
    ),
    _input_problem,
    {"if": {"required": ["choices"]}, "then": {"properties": {"type": {"const": InputType.TEXT.value}}}},
    name="input",
)

# Workflows.
FILE_VERSION = Field("version", Whole(VERSION, VERSION), "The version of this format; 1.", VERSION)
TITLE = Field("name", Text(limits.MAX_NAME_CHARACTERS), "The workflow's name, for people.")
DESCRIPTION = Field("description", Text(limits.MAX_DESCRIPTION_CHARACTERS), "What it is for.", "")
TAGS = Field(
    "tags", ListOf(Text(limits.MAX_NAME_CHARACTERS), limits.MAX_TAGS, is_unique=True), "Words to find it by.", ()
)
INPUTS = Field(
    "inputs",
    MapOf(
        NAME,
        Either(Meant(Choice(InputType), lambda wanted: InputDefinition("", wanted)), INPUT),
        limits.MAX_INPUTS,
    ),
    "What a run is given when it starts: names, each with a type, or with a type and more.",
    (),
)
STEPS = Field("steps", ListOf(STEP, limits.MAX_STEPS, least=1), "The steps.")
GUIDANCE = Field(
    "guidance",
    MapOf(Text(limits.MAX_NAME_CHARACTERS), Text(limits.MAX_GUIDANCE_CHARACTERS), limits.MAX_GUIDANCE),
    "Advice beside the steps, such as when to use the workflow: titles, each with a text. Nobody executes it.",
    (),
)


def _definition(fields: Fields) -> Definition:
    return Definition(
        id="",
        name=fields[TITLE],
        description=fields[DESCRIPTION],
        inputs=tuple(replace(each, name=name) for name, each in fields[INPUTS]),
        steps=fields[STEPS],
        tags=fields[TAGS],
        guidance=tuple(Guidance(name, text) for name, text in fields[GUIDANCE]),
    )


WORKFLOW = Record((FILE_VERSION, TITLE, DESCRIPTION, TAGS, INPUTS, STEPS, GUIDANCE), _definition)


class IgnisYaml:
    """Reads one definition from each file."""

    def recognises(self, tree: MappingNode) -> bool:
        """Tell whether the file has steps."""
        return tree.get(STEPS.key) is not None

    def read(self, tree: MappingNode, definition_id: str, reading: Reading) -> tuple[Located, ...]:
        """Return the definition; none where any part of it is not of the shape that it should be."""
        try:
            definition = WORKFLOW.read(tree, "", reading)
        except Unread:
            return ()
        return (Located(replace(definition, id=definition_id), reading.lines),)


def json_schema() -> Schema:
    """Return the JSON Schema of the format."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ignis:workflow:{VERSION}",
        "title": "An ignis workflow",
        "description": "What several agents do together, step by step.",
        **WORKFLOW.definition(),
        "$defs": {each.name: each.definition() for each in (INPUT, STEP)},
    }
