"""Answers as people read them: tables of what was chosen, left out and saved."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ignis_client import Baseline, ExclusionReason, InclusionReason, LeftOutAgent, Loaded, LoadedAgent
from ignis_server.cli.consoles import new_table

__all__ = ["print_loaded"]

MAX_LEFT_OUT = 5
MAX_UNANSWERED = 6

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
    ExclusionReason.WEAK_EVIDENCE: "too little speaks for it",
}


def print_loaded(console: Console, loaded: Loaded) -> None:
    """Print a bundle: its agents with the reasons, the best of those left out, open needs, and savings."""
    if loaded.agents:
        console.print(_chosen(loaded))
    else:
        console.print("[yellow]No agent of this catalog answers the brief: nothing is loaded.[/]")
    if loaded.left_out:
        console.print(_left_out(loaded))
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
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("agent", style="cyan", no_wrap=True)
    table.add_column("detail")
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for agent in sorted(loaded.agents, key=lambda agent: agent.rank):
        table.add_row(
            str(agent.rank),
            agent.id,
            agent.detail.name.lower(),
            f"{agent.tokens:,}",
            f"{agent.evidence.score:.2f}",
            _why(agent, loaded),
        )
    return table


def _why(agent: LoadedAgent, loaded: Loaded) -> str:
    needs = ", ".join(f"“{loaded.needs[index].text}”" for index in agent.evidence.need_indexes[:3])
    words = ", ".join(agent.evidence.matched_terms[:5])
    reason = WHY_IN.get(agent.reason, "")
    return escape(f"{reason} {needs}".strip() + (f" (words: {words})" if words else ""))


def _left_out(loaded: Loaded) -> Table:
    more = len(loaded.left_out) + loaded.left_out_more_count - MAX_LEFT_OUT
    table = new_table("Left out, the best first" + (f" (and {more:,} more)" if more > 0 else ""))
    table.add_column("agent", style="dim", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("why not")
    for agent in loaded.left_out[:MAX_LEFT_OUT]:
        table.add_row(agent.id, f"{agent.tokens:,}", f"{agent.evidence.score:.2f}", _why_not(agent))
    return table


def _why_not(agent: LeftOutAgent) -> str:
    return WHY_OUT.get(agent.reason, "")


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
