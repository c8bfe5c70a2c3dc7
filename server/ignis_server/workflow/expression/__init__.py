"""The language of `when`, `for_each` and `inputs`: looks values up and compares them, and can do nothing else.

    expression = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation = "not" negation | comparison
    comparison = operand [("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") operand]
    operand = literal | list | call | path | "(" expression ")"
    list = "[" [expression {"," expression}] "]"
    call = ("size" | "coalesce" | "flatten" | "range") "(" expression {"," expression} ")"
    path = root {"." name | "[" (whole number | text | "*") "]"}
    root = "inputs" | "steps" "." name "." ("output" | "outputs" | "state") | "item" | "index"

Names may hold "-", as there is no arithmetic. `steps.x.outputs` lists the outputs of a repeated step, `[*]` takes what
follows of each item. What is not there is null, and null has nothing: a condition on it is false, not an error. There are no
loops, no functions of one's own and no text is put together, so an expression ends in time proportional to the values
that it names and gives no more than its list literals repeat. Bounds: 1,024 characters, 32 levels, whole numbers to 2^53.

CEL was weighed: a name of its cannot hold "-", which ids of steps do, and a field that is not there is an error, which
conditions on skipped steps would meet all the time. Jinja's sandbox has been left more than once, and its authors advise
against templates of strangers.
"""

from ignis_server.workflow.expression.evaluation import EvaluationFault, Scope, evaluate
from ignis_server.workflow.expression.parser import ExpressionFault, parse
from ignis_server.workflow.expression.syntax import Attribute, Expression, Index, Inputs, Item, StepValue

__all__ = [
    "Attribute",
    "EvaluationFault",
    "Expression",
    "ExpressionFault",
    "Index",
    "Inputs",
    "Item",
    "Scope",
    "StepValue",
    "evaluate",
    "parse",
]
