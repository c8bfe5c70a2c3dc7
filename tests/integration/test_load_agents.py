"""Loading agents, through the real client from the real server."""

import asyncio
import hashlib
import struct
from dataclasses import replace

import pytest

from ignis_client import DetailLevel, ExclusionReason, IgnisClient
from ignis_client.errors import AgentNotFound, BudgetTooSmall, InvalidRequest
from support.recount import recount

BRIEF = "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs a security review"


async def test_a_brief_gets_the_agents_that_answer_it_and_no_other(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(BRIEF)

    assert {agent.agent.name for agent in loaded.agents} == {
        "kubernetes-operator",
        "nextjs-developer",
        "payments-engineer",
        "postgres-dba",
        "security-reviewer",
    }


async def test_every_need_names_the_agents_that_answer_it(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(BRIEF)

    answered_by = {need.text: need.agent_ids[0] for need in loaded.needs}

    assert answered_by == {
        "Next.js storefront": "frontend/nextjs-developer",
        "Stripe payments": "payments/payments-engineer",
        "PostgreSQL": "backend/postgres-dba",
        "deployed to Kubernetes": "operations/kubernetes-operator",
        "needs a security review": "security/security-reviewer",
    }


async def test_a_brief_that_nobody_answers_gets_an_empty_bundle_and_says_so(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents("Renegotiate the lease of our warehouse in Rotterdam")

    assert loaded.agents == ()
    assert loaded.text == ""
    assert [need.answered for need in loaded.needs] == [False] * len(loaded.needs)


async def test_a_need_tells_the_chance_that_the_catalog_has_anybody(ignis: IgnisClient) -> None:
    chances = {}
    for brief in (BRIEF, "Renegotiate the lease of our warehouse in Rotterdam"):
        loaded = await ignis.load_agents(brief)
        chances[brief] = max(need.answerable for need in loaded.needs)

    in_the_catalog, foreign = chances.values()
    assert 0 <= foreign < 0.2 < in_the_catalog <= 1


async def test_a_higher_recall_loads_all_that_a_lower_one_does_and_expects_as_much(ignis: IgnisClient) -> None:
    loads = [await ignis.load_agents(BRIEF, min_recall=recall, budget_tokens=1_000_000) for recall in (0.9, 0.95, 0.99)]

    held = [{agent.id for agent in loaded.agents} for loaded in loads]
    assert held[0] <= held[1] <= held[2]
    assert len(held[0]) < len(held[2])
    assert [loaded.least_score for loaded in loads] == [None] * 3
    for loaded, recall in zip(loads, (0.9, 0.95, 0.99), strict=True):
        assert loaded.expected_recall is not None
        assert loaded.expected_recall >= recall


async def test_a_recall_that_was_a_number_of_32_bits_is_understood(ignis: IgnisClient) -> None:
    (narrow,) = struct.unpack("f", struct.pack("f", 0.95))

    assert narrow != 0.95
    assert await ignis.load_agents(BRIEF, min_recall=narrow) == await ignis.load_agents(BRIEF, min_recall=0.95)


async def test_a_budget_that_cuts_says_what_a_greater_one_would_buy(ignis: IgnisClient) -> None:
    cut = await ignis.load_agents(BRIEF, budget_tokens=200)

    assert cut.unbounded is not None
    whole = await ignis.load_agents(BRIEF, budget_tokens=cut.unbounded.tokens)
    assert whole.unbounded is None
    assert whole.bundle.tokens == cut.unbounded.tokens
    assert whole.expected_recall == cut.unbounded.expected_recall
    added = {agent.id for agent in whole.agents} - {agent.id for agent in cut.agents}
    assert added == set(cut.unbounded.added_agent_ids)
    assert (await ignis.load_agents(BRIEF, budget_tokens=cut.unbounded.tokens - 1)).unbounded == replace(
        cut.unbounded, added_agent_ids=()
    )


async def test_whoever_is_left_out_as_weak_scores_less_than_the_least(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents("PostgreSQL haiku")

    weak = [agent for agent in loaded.left_out if agent.reason is ExclusionReason.WEAK_EVIDENCE]
    assert loaded.least_score is not None
    assert weak
    assert max(agent.evidence.score for agent in weak) < loaded.least_score
    assert min(agent.evidence.score for agent in loaded.agents) >= loaded.least_score


async def test_without_a_need_in_words_no_recall_is_expected(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(required_agents=["postgres-dba"])

    assert (loaded.expected_recall, loaded.least_score) == (None, None)


async def test_reported_tokens_equal_an_independent_recount_of_the_returned_bytes(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(BRIEF, required_teams=["Duo"])

    assert loaded.bundle.tokens == recount(loaded.text)
    assert [agent.tokens for agent in loaded.agents] == [recount(agent.content) for agent in loaded.agents]
    assert loaded.savings.loaded_tokens == loaded.bundle.tokens


async def test_a_core_holds_whole_sections_and_says_what_it_leaves_out(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents("tune slow PostgreSQL queries", max_detail=DetailLevel.CORE)
    whole = await ignis.get_agent("postgres-dba")

    (core,) = [agent for agent in loaded.agents if agent.id == "backend/postgres-dba"]
    assert core.detail is DetailLevel.CORE
    assert core.content == whole.core_content
    assert core.omitted_sections == whole.core_omitted_sections == ("Indexes", "Examples", "References")
    assert "[Left out of this agent: Indexes; Examples; References]" in core.content
    assert core.tokens == whole.summary.core_tokens == recount(core.content)
    assert whole.summary.card_tokens < core.tokens < whole.summary.full_tokens


async def test_more_budget_sends_more_detail(ignis: IgnisClient) -> None:
    sizes = (await ignis.get_agent("postgres-dba")).summary

    async def detail_at(budget_tokens: int) -> DetailLevel:
        loaded = await ignis.load_agents(required_agents=["postgres-dba"], budget_tokens=budget_tokens)
        return loaded.agents[0].detail

    assert await detail_at(sizes.full_tokens) is DetailLevel.FULL
    assert await detail_at(sizes.full_tokens - 1) is DetailLevel.CORE
    assert await detail_at(sizes.core_tokens) is DetailLevel.CORE
    assert await detail_at(sizes.core_tokens - 1) is DetailLevel.CARD


async def test_the_tokens_of_the_catalog_equal_an_independent_recount_of_every_agent(ignis: IgnisClient) -> None:
    catalog = await ignis.get_catalog()
    agents = [await ignis.get_agent(summary.id) async for summary in ignis.list_agents()]

    assert catalog.full_tokens == sum(recount(agent.full_content) for agent in agents)
    assert catalog.card_tokens == sum(recount(agent.card_content) for agent in agents)


async def test_the_digest_is_that_of_the_returned_bytes(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(BRIEF)

    assert loaded.bundle.digest == f"sha256:{hashlib.sha256(loaded.text.encode()).hexdigest()}"
    assert loaded.bundle.size_bytes == len(loaded.text.encode())


async def test_the_bundle_keeps_to_the_budget_by_sending_less_detail(ignis: IgnisClient) -> None:
    whole = await ignis.load_agents(BRIEF)

    loaded = await ignis.load_agents(BRIEF, budget_tokens=whole.bundle.tokens - 1)

    assert loaded.bundle.tokens <= whole.bundle.tokens - 1
    assert {agent.detail for agent in loaded.agents} == {DetailLevel.CORE, DetailLevel.FULL}


async def test_the_order_of_tags_does_not_change_the_bytes(ignis: IgnisClient) -> None:
    one = await ignis.load_agents(tags=["kubernetes", "PostgreSQL"])

    other = await ignis.load_agents(tags=["postgresql", "Kubernetes", "kubernetes"])

    assert one.text == other.text
    assert [agent.id for agent in one.agents] == ["backend/postgres-dba", "operations/kubernetes-operator"]


async def test_savings_against_loading_all_are_those_of_the_whole_catalog(ignis: IgnisClient) -> None:
    catalog = await ignis.get_catalog()

    savings = (await ignis.load_agents(BRIEF)).savings

    assert savings.load_all.baseline_tokens == catalog.full_tokens
    assert savings.index_only.baseline_tokens == catalog.card_tokens
    assert savings.load_all.saved_tokens == catalog.full_tokens - savings.loaded_tokens
    assert savings.cached_load_all.saved_tokens == pytest.approx(
        0.1 * catalog.full_tokens - 1.25 * savings.loaded_tokens
    )


async def test_required_agents_and_teams_are_loaded_whatever_the_brief_says(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents(required_agents=["sourdough"], required_teams=["Duo"])

    reasons = {agent.agent.name: agent.reason.value for agent in loaded.agents}

    assert reasons == {"sourdough": "required", "pm": "team", "postgres-dba": "team"}


async def test_a_forbidden_agent_is_left_out_with_the_reason(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents("tune PostgreSQL queries", forbidden_agents=["postgres-dba"])

    assert {each.id: each.reason.value for each in loaded.left_out}["backend/postgres-dba"] == "forbidden"
    assert "backend/postgres-dba" not in {agent.id for agent in loaded.agents}


async def test_an_agent_called_by_name_is_loaded_for_that(ignis: IgnisClient) -> None:
    loaded = await ignis.load_agents("let the postgres dba and @haiku look at it")

    reasons = {agent.agent.name: agent.reason.value for agent in loaded.agents}

    assert reasons == {"postgres-dba": "named", "haiku": "named"}


@pytest.mark.parametrize("budget", [-5, 0, 1])
async def test_a_tiny_budget_names_the_smallest_bundle(ignis: IgnisClient, budget: int) -> None:
    with pytest.raises(BudgetTooSmall) as caught:
        await ignis.load_agents(BRIEF, budget_tokens=budget)

    smallest = await ignis.load_agents(
        required_agents=caught.value.smallest_agents, budget_tokens=caught.value.smallest_tokens
    )
    assert smallest.bundle.tokens == caught.value.smallest_tokens
    assert f"budget_tokens {budget} is below the smallest bundle" in str(caught.value)


async def test_a_tiny_budget_names_what_the_request_requires(ignis: IgnisClient) -> None:
    required = ["postgres-dba", "kubernetes-operator"]
    with pytest.raises(BudgetTooSmall) as caught:
        await ignis.load_agents(required_agents=required, budget_tokens=0)

    smallest = await ignis.load_agents(required_agents=required, budget_tokens=caught.value.smallest_tokens)

    assert {agent.agent.name for agent in smallest.agents} == set(required)
    assert smallest.bundle.tokens == caught.value.smallest_tokens


async def test_nobody_costs_nothing(ignis: IgnisClient) -> None:
    nobody = "Renegotiate the lease of our warehouse in Rotterdam"

    loaded = await ignis.load_agents(nobody, budget_tokens=0)

    assert loaded.bundle.tokens == 0
    with pytest.raises(InvalidRequest, match="-3 is negative: the smallest bundle here is empty, 0 tokens"):
        await ignis.load_agents(nobody, budget_tokens=-3)


async def test_an_unknown_agent_is_answered_with_the_nearest_names(ignis: IgnisClient) -> None:
    with pytest.raises(AgentNotFound) as caught:
        await ignis.load_agents(BRIEF, required_agents=["postgres-dab"])

    assert caught.value.nearest[0] == "postgres-dba"


async def test_a_request_that_says_nothing_is_refused(ignis: IgnisClient) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ignis.load_agents("  \n ")

    assert [violation.field for violation in caught.value.violations] == ["brief"]


async def test_a_brief_of_a_megabyte_is_refused_with_its_size_and_the_limit(ignis: IgnisClient) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ignis.load_agents("x" * 1_000_000)

    (violation,) = caught.value.violations
    assert violation.field == "brief"
    assert violation.description == "1000000 bytes are more than the 65536 allowed: shorten it"


async def test_all_violations_are_told_at_once(ignis: IgnisClient) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ignis.load_agents("x", tags=["", "y" * 200], budget_tokens=99_000_000, categories=[" "])

    assert [violation.field for violation in caught.value.violations] == [
        "tags[0]",
        "tags[1]",
        "filter.categories[0]",
        "budget_tokens",
    ]


async def test_an_agent_both_required_and_forbidden_is_refused(ignis: IgnisClient) -> None:
    with pytest.raises(InvalidRequest, match="also in forbidden_agents"):
        await ignis.load_agents("x", required_agents=["haiku"], forbidden_agents=["skills/haiku"])


async def test_fifty_callers_at_once_get_the_same_bytes_as_one(ignis: IgnisClient) -> None:
    alone = await ignis.load_agents(BRIEF)

    together = await asyncio.gather(*(ignis.load_agents(BRIEF) for _ in range(50)))

    assert {loaded.text for loaded in together} == {alone.text}


async def test_a_refused_request_changes_nothing(ignis: IgnisClient) -> None:
    before = await ignis.load_agents(BRIEF)

    with pytest.raises(InvalidRequest):
        await ignis.load_agents(BRIEF, budget_tokens=-1)
    after = await ignis.load_agents(BRIEF)

    assert after == before
