"""Tables of a run: what is not measured is said."""

from perf.selection.evaluation import RECALLS, SHARES, Cost, Evaluation
from perf.selection.measures import Ranked
from perf.selection.report import markdown
from perf.selection.results import Results


def evaluation(dataset: str, kb_per_agent: float | None) -> Evaluation:
    return Evaluation(
        method="slow",
        dataset=dataset,
        agents=4,
        queries=3,
        ranked=Ranked(recall_at={1: 0.25, 5: 0.5, 10: 0.75}, ndcg=0.5, mrr=0.5, all_found_at={1: 0.0, 5: 0.0, 10: 0.5}),
        saved_fixed=dict.fromkeys(RECALLS, 0.5),
        saved_adaptive=dict.fromkeys(RECALLS, 0.5),
        recall_by_share=tuple(1.0 for _ in SHARES),
        cost=Cost(build_seconds=30.0, kb_per_agent=kb_per_agent, p50_ms=1.0, p99_ms=2.0),
    )


def document(*evaluations: Evaluation) -> str:
    return markdown(Results("a machine", evaluations, {}, (), {}, (), ()))


def test_memory_that_is_not_measured_is_left_out_of_the_mean_and_the_rule_stated() -> None:
    means, small, large = document(evaluation("small", 8.0), evaluation("large", None)).split("\n## ")[1:]

    assert means.rstrip().endswith("| 8 |")
    assert large.rstrip().endswith("| n/a |")
    assert "built within 20 seconds" in means
    assert "built within 20 seconds" in large
    assert "built within" not in small
