"""From text to trees: a tokeniser of one pattern, and one method for each rule of the grammar."""

import difflib
import re
from dataclasses import dataclass

from ignis_server.workflow.expression.syntax import (
    Accessor,
    AllOf,
    AnyOf,
    Attribute,
    Call,
    Comparison,
    Each,
    Expression,
    Index,
    Inputs,
    Item,
    ListOf,
    Literal,
    Node,
    Not,
    Path,
    Root,
    StepValue,
)
from ignis_server.workflow.limits import MAX_EXPRESSION_CHARACTERS
from ignis_server.workflow.values import MAX_WHOLE_NUMBER

__all__ = ["FUNCTIONS", "ExpressionFault", "parse"]

MAX_DEPTH = 32

# Functions, and how many arguments each takes.
FUNCTIONS = {"size": (1, 1), "coalesce": (1, 16), "flatten": (1, 1), "range": (1, 1)}
ROOTS = ("inputs", "steps", "item", "index")
CONSTANTS = {"true": True, "false": False, "null": None}
KEYWORDS = frozenset({"and", "or", "not", "in", *CONSTANTS})

TOKEN = re.compile(
    r"""(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-+[A-Za-z0-9_]+)*)
      | (?P<sign>==|!=|<=|>=|[<>()\[\],.*])
      | (?P<blank>\s+)""",
    re.VERBOSE,
)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
END = "the end"


class ExpressionFault(Exception):
    """A text that is no expression: `column` counts from 1, `problem` says what is wrong there."""

    def __init__(self, column: int, problem: str) -> None:
        self.column = column
        self.problem = problem
        super().__init__(f"{problem} (column {column})")


def parse(source: str) -> Expression:
    """Parse an expression.

    Raises:
        ExpressionFault: It is none, names what does not exist, or is beyond the bounds of the language.
    """
    if len(source) > MAX_EXPRESSION_CHARACTERS:
        raise ExpressionFault(
            1, f"it has {len(source)} characters, more than the {MAX_EXPRESSION_CHARACTERS} of an expression"
        )
    parser = _Parser(_tokens(source))
    node = parser.whole()
    return Expression(source, node, tuple(parser.paths))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(source: str) -> list[_Token]:
    tokens = []
    place = 0
    while place < len(source):
        match = TOKEN.match(source, place)
        if match is None:
            raise ExpressionFault(place + 1, _strange(source[place]))
        if match.lastgroup != "blank":
            tokens.append(_Token(str(match.lastgroup), match[0], place + 1))
        place = match.end()
    tokens.append(_Token("end", END, len(source) + 1))
    return tokens


def _strange(character: str) -> str:
    if character in "\"'":
        return f"the text that begins with {character} does not end"
    advice = {"=": "; equality is ==", "&": "; say `and`", "|": "; say `or`", "!": "; say `not`, or !="}
    return f"{character!r} has no meaning here{advice.get(character, '')}"


class _Parser:
    """Reads tokens from left to right; each method reads what its rule says and leaves the rest."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.paths: list[Path] = []
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Node:
        """Read an expression and nothing after it."""
        node = self._expression()
        if self._next.kind != "end":
            raise self._fault(f"{self._next.text!r} cannot follow what stands before it")
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _takes(self, *texts: str) -> bool:
        """Take the next token where it is one of these signs or keywords."""
        is_taken = self._next.kind in {"sign", "name"} and self._next.text in texts
        self._place += is_taken
        return is_taken

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._fault(f"{sign!r} is missing before {self._next.text!r}")

    def _fault(self, problem: str) -> ExpressionFault:
        return ExpressionFault(self._next.column, problem)

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fault(f"it nests deeper than {MAX_DEPTH} levels")
        operands = [self._conjunction()]
        while self._takes("or"):
            operands.append(self._conjunction())
        self._depth -= 1
        return operands[0] if len(operands) == 1 else AnyOf(tuple(operands))

    def _conjunction(self) -> Node:
        operands = [self._negation()]
        while self._takes("and"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else AllOf(tuple(operands))

    def _negation(self) -> Node:
        count = 0
        while self._takes("not"):
            count += 1
        node = self._comparison()
        # Twice is as good as any even number, and a tree of two levels cannot grow too deep to be walked.
        for _ in range(min(count, 2 - count % 2)):
            node = Not(node)
        return node

    def _comparison(self) -> Node:
        left = self._operand()
        sign = self._next.text
        if self._takes("==", "!=", "<", "<=", ">", ">=", "in"):
            return Comparison(sign, left, self._operand())
        if self._takes("not"):
            self._expect("in")
            return Not(Comparison("in", left, self._operand()))
        return left

    def _operand(self) -> Node:
        if self._takes("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._takes("["):
            return ListOf(self._expressions("]"))
        token = self._next
        if token.kind == "number":
            return Literal(self._number())
        if token.kind == "text":
            return Literal(self._text())
        if token.kind == "name" and token.text in CONSTANTS:
            return Literal(CONSTANTS[self._take().text])
        if token.kind == "name" and token.text not in KEYWORDS:
            return self._named()
        raise self._fault(f"a value is missing before {token.text!r}" if token.kind != "end" else "a value is missing")

    def _expressions(self, end: str) -> tuple[Node, ...]:
        if self._takes(end):
            return ()
        nodes = [self._expression()]
        while self._takes(","):
            nodes.append(self._expression())
        self._expect(end)
        return tuple(nodes)

    def _named(self) -> Node:
        name = self._take()
        if self._takes("("):
            return self._call(name)
        if name.text not in ROOTS:
            raise ExpressionFault(name.column, _unknown(name.text))
        path = Path(self._root(name.text), self._accessors())
        self.paths.append(path)
        return path

    def _call(self, name: _Token) -> Node:
        if name.text not in FUNCTIONS:
            raise ExpressionFault(
                name.column, f"there is no function {name.text!r}: the functions are {', '.join(FUNCTIONS)}"
            )
        arguments = self._expressions(")")
        least, most = FUNCTIONS[name.text]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ExpressionFault(name.column, f"{name.text} takes {wanted} values, not {len(arguments)}")
        return Call(name.text, arguments)

    def _root(self, name: str) -> Root:
        if name == "steps":
            return self._step_value()
        roots: dict[str, Root] = {"inputs": Inputs(), "item": Item(), "index": Index()}
        return roots[name]

    def _step_value(self) -> StepValue:
        step_id = self._accessor()
        if not isinstance(step_id, str):
            raise self._fault("after `steps` stands a step, as in steps.plan.output")
        place = self._next
        attribute = self._accessor()
        if attribute not in set(Attribute):
            raise ExpressionFault(
                place.column, f"after `steps.{step_id}` stands .output, .outputs (of a repeated step) or .state"
            )
        return StepValue(step_id, Attribute(attribute))

    def _accessors(self) -> tuple[Accessor, ...]:
        accessors = []
        while (accessor := self._accessor()) is not None:
            accessors.append(accessor)
        return tuple(accessors)

    def _accessor(self) -> Accessor | None:
        if self._takes("."):
            if self._next.kind != "name":
                raise self._fault('a name is missing after the dot; one with other characters is written ["…"]')
            return self._take().text
        if not self._takes("["):
            return None
        accessor: Accessor
        if self._takes("*"):
            accessor = Each()
        elif self._next.kind == "text":
            accessor = self._text()
        elif self._next.kind == "number" and self._next.text.lstrip("-").isdigit():
            accessor = int(self._number())
        else:
            raise self._fault("between [ and ] stands a whole number, a text or *")
        self._expect("]")
        return accessor

    def _number(self) -> int | float:
        token = self._take()
        number = int(token.text) if token.text.lstrip("-").isdigit() else float(token.text)
        if abs(number) > MAX_WHOLE_NUMBER:
            raise ExpressionFault(token.column, f"{token.text[:24]} is beyond 2^53")
        return number

    def _text(self) -> str:
        token = self._take()

        def meant(match: re.Match[str]) -> str:
            if match[1] not in ESCAPED:
                raise ExpressionFault(token.column, f"a text knows no \\{match[1]}: write \\\\ for a backslash")
            return ESCAPED[match[1]]

        return ESCAPE.sub(meant, token.text[1:-1])


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, [*ROOTS, *KEYWORDS], n=1)
    advice = f"did you mean {nearest[0]}?" if nearest else "values begin with inputs, steps, item or index"
    return f"nothing is called {name!r}: {advice}; a text stands in quotes"
