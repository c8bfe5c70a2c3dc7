"""The passages of an agent's body and examples: its sentences and list items, each of which may answer a need alone."""

import re

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.sections import lines_of

__all__ = ["passages_of"]

# With 32 vectors of 1 KiB an agent costs 32 KiB at most; longer bodies get longer passages.
MAX_PASSAGES = 32
MIN_WORDS = 3

LINE_START = re.compile(r"^[ \t>#*+-]+|^[ \t]*\d+[.)][ \t]+", re.MULTILINE)
MARKUP = "*_`|"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def passages_of(definition: AgentDefinition) -> list[str]:
    """Return an agent's sentences and list items, joined evenly where there are more than 32."""
    prose = "".join(line for line, is_code in lines_of(definition.body) if not is_code)
    text = LINE_START.sub("", "\n".join((*definition.examples, prose)))
    for sign in MARKUP:
        text = text.replace(sign, " ")
    sentences = [
        " ".join(words)
        for line in text.splitlines()
        for sentence in SENTENCE_END.split(line)
        if len(words := sentence.split()) >= MIN_WORDS
    ]
    size = -(-len(sentences) // MAX_PASSAGES)
    if size <= 1:
        return sentences
    return [" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]
