"""The language of conditions: what it means, what it refuses, and that nothing in it runs away."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.workflow.expression import (
    Attribute,
    EvaluationFault,
    ExpressionFault,
    Index,
    Inputs,
    Item,
    StepValue,
    evaluate,
    parse,
)
from ignis_server.workflow.expression.syntax import Root
from ignis_server.workflow.values import Value, encode, is_equal


class Known:
    """A scope with values for the tests."""

    values: Mapping[Root, Value] = {
        Inputs(): {"count": 3, "name": "Ada", "on": True, "off": False, "nothing": None, "areas": ["a", "b"]},
        StepValue("plan", Attribute.OUTPUT): {
            "stories": [{"title": "One", "size": 2}, {"title": "Two"}],
            "prd.md": "text",
        },
        StepValue("plan", Attribute.STATE): "completed",
        StepValue("build-all", Attribute.OUTPUTS): [{"open": ["x"]}, None, {"open": ["y", "z"]}],
        Item(): {"id": 7},
        Index(): 1,
    }

    def value_of(self, root: Root) -> Value:
        return self.values.get(root)


def value_of(source: str) -> Value:
    return evaluate(parse(source), Known())


@pytest.mark.parametrize(
    ("source", "value"),
    [
        # Literals.
        ("true", True),
        ("null", None),
        ("-2.5e1", -25.0),
        ("'it\\'s \\\\ \\n'", "it's \\ \n"),
        ('[1, "a", [], null]', [1, "a", [], None]),
        # Paths.
        ("inputs.name", "Ada"),
        ("inputs.missing", None),
        ("inputs.missing.deeper[3].still", None),
        ("inputs.areas[0]", "a"),
        ("inputs.areas[-1]", "b"),
        ("inputs.areas[-2]", "a"),
        ("inputs.areas[-3]", None),
        ("inputs.areas[2]", None),
        ('steps.plan.output["prd.md"]', "text"),
        ('steps["plan"].output.stories[1].title', "Two"),
        ("steps.plan.output.stories[*].size", [2, None]),
        ("steps.build-all.outputs[*].open", [["x"], None, ["y", "z"]]),
        ("steps.other.output.x[*].y", []),
        ("steps.plan.state", "completed"),
        ("item.id", 7),
        ("index", 1),
        # Comparisons.
        ("inputs.count == 3.0", True),
        ("inputs.count != 3", False),
        ('inputs.name < "Bo"', True),
        ("inputs.count >= 3 and inputs.count <= 3", True),
        ("inputs.count > 3 or inputs.count < 3", False),
        ("inputs.missing > 3", False),
        ("inputs.missing <= 3", False),
        ("inputs.missing == null", True),
        ("true == 1", False),
        ('"b" in inputs.areas', True),
        ('"b" not in inputs.areas', False),
        ('"da" in inputs.name', True),
        ('"count" in inputs', True),
        ('"x" in inputs.missing', False),
        ("[1] in [[1.0]]", True),
        # Logic.
        ("not inputs.off", True),
        ("not inputs.missing", True),
        ("not not inputs.on", True),
        ("not not not inputs.on", False),
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("false and inputs.name", False),
        ("true or inputs.name", True),
        ("not true == false", True),
        # Functions.
        ("size(inputs.areas)", 2),
        ("size(inputs.name)", 3),
        ("size(inputs.missing)", 0),
        ("size(inputs)", 6),
        ('coalesce(inputs.missing, inputs.nothing, "x")', "x"),
        ("coalesce(null)", None),
        ("flatten(steps.build-all.outputs[*].open)", ["x", "y", "z"]),
        ("flatten([1, [2, [3]], null])", [1, 2, [3]]),
        ("range(inputs.count)", [0, 1, 2]),
        ("size(range(1000))", 1_000),
    ],
)
def test_expressions_give_what_they_say(source: str, value: Value) -> None:
    assert is_equal(value_of(source), value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("inputs.name and true", "a text stands where true or false is needed"),
        ("not inputs.count", "a number stands where true or false"),
        ("inputs.name.first", "a text has no field 'first'"),
        ("inputs[0]", "[0] needs a list, and an object stands there"),
        ("inputs.name[*]", "[*] needs a list"),
        ("inputs.name > 3", "a text is neither less nor more than a number"),
        ("true > false", "a boolean is neither less"),
        ("size(3)", "size needs a text, a list or an object, and a number stands there"),
        ("flatten(3)", "flatten needs a list"),
        ("range(1.5)", "range needs a whole number"),
        ("range(-1)", "range needs a whole number"),
        ("range(true)", "range needs a whole number"),
        ("range(1001)", "range goes to 1000, and 1001 is more"),
        ("1 in 2", "a number cannot hold a number"),
        ("1 in inputs.name", "a text cannot hold a number"),
    ],
)
def test_values_of_the_wrong_kind_are_told(source: str, problem: str) -> None:
    with pytest.raises(EvaluationFault) as caught:
        value_of(source)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("source", "column", "problem"),
    [
        ("", 1, "a value is missing"),
        ("inputs.a =  3", 10, "'=' has no meaning here; equality is =="),
        ("inputs.a && inputs.b", 10, "say `and`"),
        ("a > 1", 1, "nothing is called 'a'"),
        ("input.a", 1, "did you mean inputs?"),
        ("high", 1, "a text stands in quotes"),
        ("inputs.", 8, "a name is missing after the dot"),
        ("inputs[1.5]", 8, "between [ and ]"),
        ("inputs[a]", 8, "between [ and ]"),
        ("inputs[1", 9, "']' is missing before 'the end'"),
        ("(true", 6, "')' is missing"),
        ("true false", 6, "'false' cannot follow"),
        ("true and", 9, "a value is missing"),
        ("and true", 1, "a value is missing before 'and'"),
        ("1 not 2", 7, "'in' is missing before '2'"),
        ("steps", 6, "after `steps` stands a step"),
        ("steps.plan", 11, "after `steps.plan` stands .output, .outputs (of a repeated step) or .state"),
        ("steps.plan.result", 11, "after `steps.plan` stands .output"),
        ("steps[0].output", 9, "after `steps` stands a step"),
        ("lower(1)", 1, "there is no function 'lower': the functions are size, coalesce, flatten, range"),
        ("size()", 1, "size takes 1 values, not 0"),
        ("size(1, 2)", 1, "size takes 1 values, not 2"),
        ("coalesce()", 1, "coalesce takes 1 to 16 values, not 0"),
        ('"open', 1, 'the text that begins with " does not end'),
        (r'"\x41"', 1, r"a text knows no \x"),
        ("9007199254740993", 1, "beyond 2^53"),
        ("1e999", 1, "beyond 2^53"),
        ("(" * 40 + "1" + ")" * 40, 33, "it nests deeper than 32 levels"),
        ("[" * 500, 33, "it nests deeper than 32 levels"),
        ("1 == " * 300 + "1", 1, "it has 1501 characters, more than the 1024"),
        ("1 == 1 == 1", 8, "'==' cannot follow"),
        ("__import__('os')", 1, "there is no function '__import__'"),
        ("inputs.__class__.__mro__ ; 1", 26, "';' has no meaning"),
    ],
)
def test_what_is_no_expression_is_told_with_its_column(source: str, column: int, problem: str) -> None:
    with pytest.raises(ExpressionFault) as caught:
        parse(source)

    assert problem in caught.value.problem
    assert caught.value.column == column


def test_fields_are_keys_and_never_attributes() -> None:
    """A path looks into JSON; Python's attributes of it are out of reach."""
    assert value_of("inputs.__class__") is None
    assert value_of('inputs["keys"]') is None


def test_an_expression_knows_what_it_names() -> None:
    expression = parse('steps.plan.output.a > 1 or (size(inputs.b) > 0 and steps["build-all"].state == "skipped")')

    assert expression.steps == (StepValue("plan", Attribute.OUTPUT), StepValue("build-all", Attribute.STATE))
    assert not expression.is_constant
    assert not expression.is_of_item
    assert parse("index > 1").is_of_item
    assert parse("item.x == 1").is_of_item
    assert parse("size([1])").is_constant


def test_many_nots_are_no_deep_tree() -> None:
    assert value_of("not " * 250 + "true") is True
    assert value_of("not " * 251 + "true") is False


WORDS = (
    "inputs steps . plan output outputs [ ] * ( ) and or not in == < 1 -2 'a' true null size flatten , item index areas name "
    "range coalesce"
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=60).map(" ".join) | st.text(max_size=60))
def test_whatever_is_written_gives_a_value_or_a_fault(source: str) -> None:
    said = ""
    try:
        said = str(encode(value_of(source)))
    except (ExpressionFault, EvaluationFault) as fault:
        said = str(fault)

    assert said
