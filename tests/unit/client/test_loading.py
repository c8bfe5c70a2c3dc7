"""A load: what is asked over the wire, and what comes back from it."""

from dataclasses import replace

import pytest

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import (
    AgentFormat,
    Baseline,
    Bundle,
    CacheOutcome,
    DetailLevel,
    Epoch,
    EpochReason,
    ExclusionReason,
    IgnisClient,
    InclusionReason,
    LeftOutAgent,
    Loaded,
    LoadedAgent,
    Need,
    Savings,
    TokenPrices,
    UnboundedBundle,
)
from ignis_client.errors import DigestMismatch
from unit.client.samples import EVIDENCE, EVIDENCE_MESSAGE, SUMMARY, SUMMARY_MESSAGE, bundle_message
from unit.client.scripted_server import ScriptedServer

CONTENT = '<agent name="nextjs" id="web/nextjs" detail="core">\nZeichne den Warenkörbe-Fluß.\n</agent>\n'
DIGEST = bundle_message(CONTENT).digest


async def test_answer_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.LoadAgentsResponse(
            catalog_revision="sha256:77",
            selector_version="3",
            bundle=pb.Bundle(
                digest=DIGEST,
                agents=[
                    pb.LoadedAgent(
                        agent=SUMMARY_MESSAGE,
                        detail=pb.DETAIL_LEVEL_CORE,
                        content=CONTENT,
                        tokens=30,
                        reason=pb.INCLUSION_REASON_SELECTED,
                        evidence=EVIDENCE_MESSAGE,
                        rank=1,
                        omitted_sections=["History", "Credits"],
                    )
                ],
                tokens=31,
                size_bytes=96,
            ),
            epoch=pb.Epoch(id="1.ab", reason=pb.EPOCH_REASON_CONTINUED, digest="sha256:ab", tokens=99, size_bytes=400),
            needs=[pb.Need(text="Stripe payments", answered=True, agent_ids=["a", "b"], answerable=0.75)],
            left_out=[
                pb.LeftOutAgent(
                    agent=SUMMARY_MESSAGE,
                    evidence=EVIDENCE_MESSAGE,
                    reason=pb.EXCLUSION_REASON_OVER_BUDGET,
                    tokens=9_000,
                )
            ],
            left_out_more_count=7,
            budget_tokens=20_000,
            savings=pb.Savings(
                loaded_tokens=31,
                load_all=pb.Baseline(baseline_tokens=100, bundle_tokens=31, saved_tokens=69, saved_ratio=0.69),
                index_only=pb.Baseline(baseline_tokens=20, bundle_tokens=31, saved_tokens=-11, saved_ratio=-0.55),
                cached_load_all=pb.Baseline(
                    baseline_tokens=10, bundle_tokens=38.75, saved_tokens=-28.75, saved_ratio=-2.875
                ),
            ),
            cache_outcome=pb.CACHE_OUTCOME_SHARED_HIT,
            expected_recall=0.95,
            least_score=0.125,
            unbounded=pb.UnboundedBundle(
                tokens=44_000, added_agent_ids=["web/php"], added_more_count=2, expected_recall=0.99
            ),
        )
    )

    loaded = await ignis.load_agents("Next.js storefront with Stripe payments", budget_tokens=20_000)

    agent = LoadedAgent(
        agent=SUMMARY,
        detail=DetailLevel.CORE,
        content=CONTENT,
        tokens=30,
        reason=InclusionReason.SELECTED,
        evidence=EVIDENCE,
        rank=1,
        omitted_sections=("History", "Credits"),
    )
    assert loaded == Loaded(
        catalog_revision="sha256:77",
        selector_version="3",
        bundle=Bundle(digest=DIGEST, agents=(agent,), tokens=31, size_bytes=96),
        epoch=Epoch(id="1.ab", reason=EpochReason.CONTINUED, digest="sha256:ab", tokens=99, size_bytes=400),
        needs=(Need(text="Stripe payments", answered=True, agent_ids=("a", "b"), answerable=0.75),),
        left_out=(LeftOutAgent(SUMMARY, EVIDENCE, ExclusionReason.OVER_BUDGET, tokens=9_000),),
        left_out_more_count=7,
        budget_tokens=20_000,
        savings=Savings(
            loaded_tokens=31,
            load_all=Baseline(baseline_tokens=100, bundle_tokens=31, saved_tokens=69, saved_ratio=0.69),
            index_only=Baseline(baseline_tokens=20, bundle_tokens=31, saved_tokens=-11, saved_ratio=-0.55),
            cached_load_all=Baseline(baseline_tokens=10, bundle_tokens=38.75, saved_tokens=-28.75, saved_ratio=-2.875),
        ),
        cache_outcome=CacheOutcome.SHARED_HIT,
        expected_recall=0.95,
        least_score=0.125,
        unbounded=UnboundedBundle(
            tokens=44_000, added_agent_ids=("web/php",), added_more_count=2, expected_recall=0.99
        ),
    )
    assert loaded.agents == (agent,)
    assert (loaded.agents[0].id, loaded.left_out[0].id) == ("web/nextjs", "web/nextjs")


async def test_request_holds_everything_that_was_asked(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.LoadAgentsResponse(bundle=bundle_message()))

    await ignis.load_agents(
        "a shop",
        task="add payments",
        tags={"stripe"},
        required_agents=["nextjs@11111111"],
        required_teams=("fullstack",),
        forbidden_agents=["php"],
        formats=[AgentFormat.A2A_CARD, AgentFormat.CREWAI_AGENT],
        categories=["Web"],
        budget_tokens=0,
        min_recall=0.95,
        max_detail=DetailLevel.CARD,
        prices=TokenPrices(cache_read=0.0, cache_write=2.0),
    )

    assert server.requests == [
        pb.LoadAgentsRequest(
            brief="a shop",
            task="add payments",
            tags=["stripe"],
            required_agents=["nextjs@11111111"],
            required_teams=["fullstack"],
            forbidden_agents=["php"],
            filter=pb.AgentFilter(formats=[pb.AGENT_FORMAT_A2A_CARD, pb.AGENT_FORMAT_CREWAI_AGENT], categories=["Web"]),
            budget_tokens=0,
            min_recall=0.95,
            max_detail=pb.DETAIL_LEVEL_CARD,
            prices=pb.TokenPrices(cache_read=0.0, cache_write=2.0),
        )
    ]


async def test_what_is_not_asked_is_left_to_the_server(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.LoadAgentsResponse(bundle=bundle_message()))

    await ignis.load_agents("a shop")
    await ignis.load_agents("a shop", prices=TokenPrices(cache_write=2.0))

    plain, priced = server.requests
    assert not plain.HasField("budget_tokens")
    assert not plain.HasField("min_recall")
    assert not plain.HasField("prices")
    assert not priced.prices.HasField("cache_read")


async def test_text_is_all_contents_with_nothing_between(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.LoadAgentsResponse(bundle=bundle_message("eins\n", "zwölf\n", "drei\n")))

    loaded = await ignis.load_agents("count")

    assert loaded.text == "eins\nzwölf\ndrei\n"
    assert len(loaded.text.encode()) == loaded.bundle.size_bytes


async def test_brief_that_nothing_answers_gets_an_empty_bundle(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.LoadAgentsResponse(bundle=bundle_message()))

    loaded = await ignis.load_agents("knitting")

    assert (loaded.text, loaded.agents) == ("", ())
    assert (loaded.expected_recall, loaded.least_score, loaded.unbounded) == (None, None, None)


async def test_text_that_is_not_what_the_digest_says_is_refused(server: ScriptedServer, ignis: IgnisClient) -> None:
    bundle = bundle_message("You are careful.\n")
    bundle.agents[0].content = "You are careless.\n"
    server.script(pb.LoadAgentsResponse(bundle=bundle))

    with pytest.raises(DigestMismatch) as caught:
        await ignis.load_agents("a shop")

    assert caught.value.digest == bundle.digest
    assert caught.value.actual_digest == bundle_message("You are careless.\n").digest


async def test_kept_bundle_can_be_verified_again(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.LoadAgentsResponse(bundle=bundle_message("You are careful.\n", "You are kind.\n")))
    bundle = (await ignis.load_agents("a shop")).bundle

    bundle.verify()
    with pytest.raises(DigestMismatch):
        replace(bundle, agents=bundle.agents[::-1]).verify()


async def test_string_in_place_of_a_list_is_refused(ignis: IgnisClient) -> None:
    """Its letters would be tags of their own, and valid ones."""
    with pytest.raises(TypeError, match="tags is one string"):
        await ignis.load_agents("a shop", tags="stripe")


async def test_bundle_beyond_the_bound_of_grpc_arrives(server: ScriptedServer, ignis: IgnisClient) -> None:
    """GRPC refuses messages of more than 4 MiB unless it is told otherwise; a large budget needs more."""
    server.script(pb.LoadAgentsResponse(bundle=bundle_message("x" * (5 << 20))))

    loaded = await ignis.load_agents("everything", budget_tokens=10_000_000)

    assert loaded.bundle.size_bytes == 5 << 20
