"""What an expression gives: a walk over its tree, with values looked up where they are named."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeGuard

from ignis_server.workflow.expression.syntax import (
    Accessor,
    AllOf,
    AnyOf,
    Call,
    Comparison,
    Each,
    Expression,
    ListOf,
    Literal,
    Node,
    Not,
    Path,
    Root,
)
from ignis_server.workflow.limits import MAX_FOR_EACH_WIDTH
from ignis_server.workflow.values import Value, is_equal, with_article

__all__ = ["EvaluationFault", "Scope", "evaluate"]


class EvaluationFault(Exception):
    """A value is not of the kind that the expression needs: the message says which and where."""


class Scope(Protocol):
    """Where values are looked up."""

    def value_of(self, root: Root) -> Value:
        """Return what a path begins with; null where there is none."""
        ...


def evaluate(expression: Expression, scope: Scope) -> Value:
    """Return what an expression gives.

    Raises:
        EvaluationFault: A value is not of the kind that the expression needs.
    """
    return _value(expression.node, scope)


def _value(node: Node, scope: Scope) -> Value:  # noqa: PLR0911 - one for each kind of node
    match node:
        case Literal(value):
            return value
        case Path(root, accessors):
            return _looked_up(scope.value_of(root), accessors)
        case ListOf(items):
            return [_value(item, scope) for item in items]
        case Call(function, arguments):
            return CALLS[function]([_value(argument, scope) for argument in arguments])
        case Not(operand):
            return not _holds(operand, scope)
        case AllOf(operands):
            return all(_holds(operand, scope) for operand in operands)
        case AnyOf(operands):
            return any(_holds(operand, scope) for operand in operands)
        case Comparison(sign, left, right):
            return RELATIONS[sign](_value(left, scope), _value(right, scope))


def _holds(node: Node, scope: Scope) -> bool:
    value = _value(node, scope)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise EvaluationFault(f"{with_article(value)} stands where true or false is needed; compare it with something")


def _looked_up(value: Value, accessors: Sequence[Accessor]) -> Value:
    for place, accessor in enumerate(accessors):
        if value is None:
            return [] if Each() in accessors[place:] else None
        if isinstance(accessor, Each):
            return [_looked_up(item, accessors[place + 1 :]) for item in _list(value, "[*]")]
        if isinstance(accessor, int):
            items = _list(value, f"[{accessor}]")
            value = items[accessor] if -len(items) <= accessor < len(items) else None
        elif isinstance(value, Mapping):
            value = value.get(accessor)
        else:
            raise EvaluationFault(f"{with_article(value)} has no field {accessor!r}")
    return value


def _list(value: Value, what_for: str) -> Sequence[Value]:
    if isinstance(value, list | tuple):
        return value
    raise EvaluationFault(f"{what_for} needs a list, and {with_article(value)} stands there")


def _size(arguments: Sequence[Value]) -> Value:
    (value,) = arguments
    if value is None:
        return 0
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise EvaluationFault(f"size needs a text, a list or an object, and {with_article(value)} stands there")


def _coalesce(arguments: Sequence[Value]) -> Value:
    return next((value for value in arguments if value is not None), None)


def _flatten(arguments: Sequence[Value]) -> Value:
    flat: list[Value] = []
    for each in _list(arguments[0], "flatten"):
        flat += each if isinstance(each, list | tuple) else () if each is None else (each,)
    return flat


def _range(arguments: Sequence[Value]) -> Value:
    (count,) = arguments
    if not _is_number(count) or count != int(count) or count < 0:
        raise EvaluationFault(f"range needs a whole number from 0 on, and {with_article(count)} stands there")
    if count > MAX_FOR_EACH_WIDTH:
        raise EvaluationFault(f"range goes to {MAX_FOR_EACH_WIDTH}, and {count:g} is more")
    return list(range(int(count)))


def _contains(item: Value, container: Value) -> bool:
    if container is None:
        return False
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    if isinstance(container, Mapping) and isinstance(item, str):
        return item in container
    if isinstance(container, list | tuple):
        return any(is_equal(item, each) for each in container)
    raise EvaluationFault(f"{with_article(container)} cannot hold {with_article(item)}")


def _order(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1 where the left one is less, the same or more; None where one is null, which is neither."""
    if left is None or right is None:
        return None
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if _is_number(left) and _is_number(right):
        return (left > right) - (left < right)
    raise EvaluationFault(f"{with_article(left)} is neither less nor more than {with_article(right)}")


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


CALLS: Mapping[str, Callable[[Sequence[Value]], Value]] = MappingProxyType(
    {"size": _size, "coalesce": _coalesce, "flatten": _flatten, "range": _range}
)
RELATIONS: Mapping[str, Callable[[Value, Value], bool]] = MappingProxyType(
    {
        "==": is_equal,
        "!=": lambda left, right: not is_equal(left, right),
        "<": lambda left, right: _order(left, right) == -1,
        "<=": lambda left, right: _order(left, right) in {-1, 0},
        ">": lambda left, right: _order(left, right) == 1,
        ">=": lambda left, right: _order(left, right) in {0, 1},
        "in": _contains,
    }
)
