"""Answers as people read them: tables of what was chosen, left out and saved."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ignis_client import (
    Baseline,
    Evidence,
    ExclusionReason,
    InclusionReason,
    LeftOutAgent,
    Loaded,
    LoadedAgent,
    UnboundedBundle,
)
from ignis_server.cli.consoles import new_table

__all__ = ["print_loaded"]

MAX_LEFT_OUT = 5
MAX_ADDED = 5
MAX_UNANSWERED = 6
MAX_ANSWERED = 3
MAX_WORDS = 5

WHY_IN = {
    InclusionReason.REQUIRED: "required",
    InclusionReason.TEAM: "of a required team",
    InclusionReason.NAMED: "called by name",
    InclusionReason.SELECTED: "answers",
}
WHY_OUT = {
    ExclusionReason.FORBIDDEN: "forbidden",
    ExclusionReason.OVER_BUDGET: "no room in the budget",
    ExclusionReason.REDUNDANT: "others answer the same",
    ExclusionReason.WEAK_EVIDENCE: "the recall holds without it",
}


def print_loaded(console: Console, loaded: Loaded) -> None:
    """Print a bundle: its agents with the reasons, the best of those left out, open needs, and savings."""
    if loaded.agents:
        console.print(_chosen(loaded))
    else:
        console.print("[yellow]No agent of this catalog answers the brief: nothing is loaded.[/]")
    if loaded.left_out:
        console.print(_left_out(loaded))
    if loaded.unbounded:
        console.print(_more_for(loaded.unbounded), highlight=False)
    unanswered = [need.text for need in loaded.needs if not need.answered]
    if unanswered:
        more = len(unanswered) - MAX_UNANSWERED
        shown = "; ".join(unanswered[:MAX_UNANSWERED]) + (f"; and {more} more" if more > 0 else "")
        console.print(f"[yellow]Nobody answers:[/] {escape(shown)}", highlight=False)
    if loaded.agents:
        console.print(_savings(loaded))


def _chosen(loaded: Loaded) -> Table:
    table = new_table(
        f"Loaded: {len(loaded.agents)} agents, {loaded.bundle.tokens:,} of {loaded.budget_tokens:,} tokens"
        + _expected(loaded.expected_recall)
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("agent", style="cyan", no_wrap=True)
    table.add_column("detail")
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("chance", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for agent in sorted(loaded.agents, key=lambda agent: agent.rank):
        table.add_row(
            str(agent.rank),
            agent.id,
            agent.detail.name.lower(),
            f"{agent.tokens:,}",
            f"{agent.evidence.score:.0%}",
            _why(agent, loaded),
        )
    return table


def _why(agent: LoadedAgent, loaded: Loaded) -> str:
    reason = f"{WHY_IN.get(agent.reason, '')} {_answered(agent.evidence, loaded)}".strip()
    if not loaded.needs:
        return escape(reason)
    evidence = agent.evidence
    words = f" ({', '.join(evidence.matched_terms[:MAX_WORDS])})" if evidence.matched_terms else ""
    parts = f"words {evidence.lexical:.2f}{words}, meaning {evidence.semantic:.2f}, spelling {evidence.spelling:.2f}"
    return f"{escape(reason)}\n[dim]{escape(parts)}[/]"


def _answered(evidence: Evidence, loaded: Loaded) -> str:
    return ", ".join(f"“{loaded.needs[index].text}”" for index in evidence.need_indexes[:MAX_ANSWERED])


def _expected(recall: float | None) -> str:
    return "" if recall is None else f"; expected recall {recall:.0%}"


def _more_for(unbounded: UnboundedBundle) -> str:
    names = unbounded.added_agent_ids[:MAX_ADDED]
    more = len(unbounded.added_agent_ids) + unbounded.added_more_count - len(names)
    added = ", ".join(names) + (f" and {more:,} more" if more else "")
    does = f"add {added}" if added else "hold the same agents in more detail"
    return (
        f"[bold]A budget of {unbounded.tokens:,} tokens[/] would {escape(does)}{_expected(unbounded.expected_recall)}."
    )


def _left_out(loaded: Loaded) -> Table:
    more = len(loaded.left_out) + loaded.left_out_more_count - MAX_LEFT_OUT
    table = new_table("Left out, the best first" + (f" (and {more:,} more)" if more > 0 else ""))
    table.add_column("agent", style="dim", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("chance", justify="right", no_wrap=True)
    table.add_column("why not", overflow="fold")
    for agent in loaded.left_out[:MAX_LEFT_OUT]:
        table.add_row(agent.id, f"{agent.tokens:,}", f"{agent.evidence.score:.0%}", _why_not(agent, loaded))
    return table


def _why_not(agent: LeftOutAgent, loaded: Loaded) -> str:
    reason = WHY_OUT.get(agent.reason, "")
    if agent.reason is ExclusionReason.WEAK_EVIDENCE and loaded.least_score is not None:
        reason = f"less than {loaded.least_score:.0%}, the least that is considered here"
    answered = _answered(agent.evidence, loaded)
    return escape(f"{reason}; would answer {answered}" if answered else reason)


def _savings(loaded: Loaded) -> Table:
    table = new_table("What else could be loaded, in tokens")
    table.add_column("instead")
    table.add_column("that way", justify="right", no_wrap=True)
    table.add_column("this bundle", justify="right", no_wrap=True)
    table.add_column("the bundle", justify="right", no_wrap=True)
    savings = loaded.savings
    for name, baseline in (
        ("every agent, in full", savings.load_all),
        ("every agent's name and description, and nothing else", savings.index_only),
        ("every agent, read from a prompt cache (weighted by price)", savings.cached_load_all),
    ):
        table.add_row(name, f"{baseline.baseline_tokens:,.0f}", f"{baseline.bundle_tokens:,.0f}", _share(baseline))
    return table


def _share(baseline: Baseline) -> str:
    if baseline.saved_tokens >= 0:
        return f"[green]saves {baseline.saved_ratio:.1%}[/]"
    return f"costs {-baseline.saved_ratio:.1%} more"
