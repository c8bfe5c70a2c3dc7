"""What becomes of steps: attempts, leases, back-offs, effects and people."""

from datetime import timedelta

import pytest

from ignis_server.errors import InputAlreadyResolved, InvalidRequest, LeaseLost, OutputTooLarge, RequestIdReused
from ignis_server.workflow.commands import (
    AnswerInput,
    ApproveInput,
    CancelRun,
    ClaimStep,
    CompleteStep,
    ExpireInput,
    ExpireLease,
    FailStep,
    HeartbeatStep,
    RejectInput,
    RetryStep,
    StartRun,
    TimeOutStep,
)
from ignis_server.workflow.events import StepBackedOff
from ignis_server.workflow.run import BackingOff, Completed, Working
from ignis_server.workflow.state_machine import (
    Canceled,
    Claimed,
    Extended,
    Reported,
    Resolved,
    Started,
    Swept,
    Unclaimable,
    due_commands,
    next_deadline,
    step_inputs,
)
from ignis_server.workflow.values import Json, decode
from ignis_server.workflow.words import Artifact, Failure, Reject, RunState, StepState, TokenUsage
from support.runs import BROKEN, FINAL, LEASE, START, Driven


def flow(*steps: str) -> str:
    return "name: A\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)


ONE = flow("id: s, agent: a")
ONCE = flow("id: s, agent: a, effect: once")


class TestLeases:
    """One worker at a time has a step."""

    def test_a_claim_is_the_lease_of_a_new_attempt(self) -> None:
        driven = Driven(ONE)

        assert driven.claim("s") == Claimed("s", 1, "w", START + LEASE)
        assert driven.run.state is RunState.WORKING

    def test_who_is_too_late_is_told_where_the_step_stands(self) -> None:
        driven = Driven(ONE)
        driven.claim("s", "first")

        assert driven.claim("s", "second") == Unclaimable("s", StepState.WORKING)

    def test_a_worker_that_missed_the_answer_gets_the_same_lease_again(self) -> None:
        driven = Driven(ONCE)
        claim = ClaimStep("claim-x", "s", "w", LEASE)

        assert driven.do(claim) == driven.do(claim) == Claimed("s", 1, "w", START + LEASE)

    def test_a_lease_that_expired_goes_to_another_and_the_first_is_fenced_off(self) -> None:
        driven = Driven(ONE)
        driven.claim("s", "slow")
        driven.turn(seconds=31)
        driven.do(ExpireLease("s", 1))
        driven.claim("s", "quick")

        for late in (
            CompleteStep("s", 1, "slow"),
            FailStep("s", 1, "slow", BROKEN),
            HeartbeatStep("s", 1, "slow"),
            CompleteStep("s", 2, "slow"),
        ):
            with pytest.raises(LeaseLost) as caught:
                driven.do(late)
            assert caught.value.latest_attempt == 2
            assert "too late" in str(caught.value)
        assert driven.complete("s") == Reported("s", 2, StepState.COMPLETED)

    def test_a_report_after_the_lease_ran_out_counts_while_nobody_else_has_the_step(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        driven.turn(seconds=300)

        assert driven.complete("s") == Reported("s", 1, StepState.COMPLETED)

    def test_an_expired_lease_costs_no_attempt_of_the_retry_policy(self) -> None:
        driven = Driven(flow("id: s, agent: a, retry: {max_attempts: 1}"))
        for attempt in (1, 2, 3):
            driven.claim("s")
            driven.turn(seconds=31)
            driven.do(ExpireLease("s", attempt))

        assert driven.complete("s") == Reported("s", 4, StepState.COMPLETED)

    def test_a_step_that_takes_its_sixteenth_worker_with_it_is_given_up(self) -> None:
        driven = Driven(ONE)
        for attempt in range(1, 17):
            driven.claim("s")
            driven.turn(seconds=31)
            driven.do(ExpireLease("s", attempt))

        assert driven.run.state is RunState.FAILED
        assert driven.run.failure == Failure(
            "worker-lost", "16 workers were lost with it, the last one in attempt 16", step_id="s"
        )

    def test_lost_workers_are_counted_anew_when_a_person_sends_a_step_back(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true"))
        for attempt in range(1, 16):
            driven.claim("s")
            driven.turn(seconds=31)
            driven.do(ExpireLease("s", attempt))
        driven.complete("s")
        driven.do(RejectInput("p", "s.approval.16", "longer"))
        driven.claim("s")
        driven.turn(seconds=31)
        driven.do(ExpireLease("s", 17))

        assert driven.step("s").state is StepState.READY
        assert [each.word for each in driven.run.resolutions_of("s")] == [Reject("longer")]

    def test_heartbeats_extend_the_lease_by_what_it_was_claimed_for(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        driven.turn(seconds=10)

        answer = driven.do(HeartbeatStep("s", 1, "w", "half way", TokenUsage(input_tokens=5)))

        assert answer == Extended("s", 1, "w", driven.now + LEASE)
        assert next_deadline(driven.run) == driven.now + LEASE
        assert driven.run.usage() == TokenUsage(input_tokens=5)

    def test_heartbeats_in_a_row_are_not_recorded(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")

        recorded = []
        for message in ("", "", "", "", "", "", "now", "now", "", "", "", "", "", ""):
            driven.turn(seconds=1)
            recorded.append(bool(driven.kinds(HeartbeatStep("s", 1, "w", message))))

        assert [second for second, is_recorded in enumerate(recorded, start=1) if is_recorded] == [5, 7, 8, 13]

    def test_a_worker_learns_at_its_heartbeat_that_the_run_has_ended(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        driven.do(CancelRun("x"))

        answer = driven.do(HeartbeatStep("s", 1, "w"))

        assert isinstance(answer, Extended)
        assert answer.is_canceled

    def test_a_clock_that_is_behind_never_turns_a_run_back(self) -> None:
        driven = Driven(ONE)
        driven.turn(seconds=30)
        driven.claim("s")
        driven.turn(seconds=-30)
        driven.complete("s")

        assert driven.run.end_time == START + timedelta(seconds=30)


class TestFailures:
    """Attempts that fail are tried again, later each time, as often as the step's policy says."""

    RETRIED = flow(
        "id: s, agent: a, retry: {max_attempts: 4, initial_backoff: 10s, max_backoff: 25s, backoff_multiplier: 2}"
    )

    def test_waits_grow_up_to_the_longest_and_differ_a_little(self) -> None:
        driven = Driven(self.RETRIED)
        waits = []
        for _ in range(3):
            driven.fail("s")
            standing = driven.step("s").standing
            assert isinstance(standing, BackingOff)
            waits.append((standing.until - driven.now).total_seconds())
            driven.now = standing.until
            driven.do(RetryStep("s", driven.step("s").attempt))
        driven.fail("s")

        assert [10 * 0.8 <= waits[0] <= 10, 20 * 0.8 <= waits[1] <= 20, 25 * 0.8 <= waits[2] <= 25] == [True] * 3
        assert driven.run.state is RunState.FAILED
        assert driven.run.failure == Failure(BROKEN.code, BROKEN.message, is_retryable=True, step_id="s")

    def test_runs_that_fail_together_do_not_come_back_together(self) -> None:
        text = flow(*(f"id: s{number}, agent: a" for number in range(20)))
        driven = Driven(text)
        for number in range(20):
            driven.fail(f"s{number}")

        waits = {event.event.until for event in driven.events if isinstance(event.event, StepBackedOff)}
        assert len(waits) == 20
        assert max(waits) - min(waits) > timedelta(seconds=0.1)

    def test_an_endpoint_that_asks_for_patience_gets_it(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")

        driven.do(FailStep("s", 1, "w", BROKEN, retry_after=timedelta(minutes=10)))

        assert next_deadline(driven.run) == START + timedelta(minutes=10)

    def test_what_no_attempt_can_mend_is_not_tried_again(self) -> None:
        driven = Driven(ONE)

        assert driven.fail("s", FINAL) == Reported("s", 1, StepState.FAILED)
        assert driven.run.failure == Failure(FINAL.code, FINAL.message, step_id="s")

    def test_an_optional_step_that_cannot_be_done_is_skipped(self) -> None:
        driven = Driven(flow("id: s, agent: a, optional: true", "id: t, agent: a, needs: s"))

        assert driven.fail("s", FINAL) == Reported("s", 1, StepState.SKIPPED)
        driven.complete("t")
        assert driven.run.state is RunState.COMPLETED
        assert driven.step("s").failure == Failure(FINAL.code, FINAL.message, step_id="s")

    def test_a_failed_step_ends_everything_else(self) -> None:
        driven = Driven(flow("id: s, agent: a", "id: t, agent: a", "id: u, ask: x", "id: v, agent: a, needs: s"))
        driven.claim("t", "other")
        driven.fail("s", FINAL)

        assert driven.states() == {"s": "failed", "t": "canceled", "u": "canceled", "v": "canceled"}
        with pytest.raises(LeaseLost, match="the step is canceled"):
            driven.do(CompleteStep("t", 1, "other"))

    def test_an_attempt_that_takes_too_long_is_taken_away(self) -> None:
        driven = Driven(flow("id: s, agent: a, timeout: 90s"))
        driven.claim("s")
        for _ in range(3):
            driven.turn(seconds=29)
            driven.do(HeartbeatStep("s", 1, "w"))
        driven.turn(seconds=4)

        assert due_commands(driven.run, driven.now) == (TimeOutStep("s", 1),)
        assert driven.do(TimeOutStep("s", 1)) == Swept(was_due=True)
        assert driven.step("s").state is StepState.BACKING_OFF
        assert driven.step("s").failure == Failure(
            "timeout", "attempt 1 took longer than 0:01:30", is_retryable=True, step_id="s"
        )
        with pytest.raises(LeaseLost):
            driven.do(FailStep("s", 1, "w", BROKEN))

    def test_tokens_of_all_attempts_add_up(self) -> None:
        driven = Driven(flow("id: s, agent: a"))
        driven.claim("s")
        driven.do(FailStep("s", 1, "w", BROKEN, usage=TokenUsage(1, 2, 3, 4)))
        driven.turn(seconds=2)
        driven.do(RetryStep("s", 1))
        driven.claim("s")
        driven.turn(seconds=10)
        driven.do(HeartbeatStep("s", 2, "w", usage=TokenUsage(10)))
        driven.turn(seconds=10)
        driven.do(HeartbeatStep("s", 2, "w"))
        driven.turn(seconds=31)
        driven.do(ExpireLease("s", 2))
        driven.complete("s", usage=TokenUsage(100, 200))

        assert driven.step("s").usage == driven.run.usage() == TokenUsage(111, 202, 3, 4)
        assert (driven.step("s").start_time, driven.step("s").end_time) == (START, driven.now)


class TestEffects:
    """What must not be done twice is done again only when a person says so."""

    @pytest.mark.parametrize("effect", ["none", "idempotent"])
    def test_what_may_be_done_twice_is_done_again_by_itself(self, effect: str) -> None:
        driven = Driven(flow(f"id: s, agent: a, effect: {effect}"))
        driven.claim("s")
        driven.turn(seconds=31)
        driven.do(ExpireLease("s", 1))

        assert driven.step("s").state is StepState.READY

    @pytest.mark.parametrize("way", ["lease", "timeout", "failure"])
    def test_an_unknown_effect_is_put_before_a_person(self, way: str) -> None:
        driven = Driven(ONCE)
        driven.claim("s")
        if way == "failure":
            driven.do(FailStep("s", 1, "w", BROKEN))
        else:
            driven.turn(hours=1)
            driven.do(ExpireLease("s", 1) if way == "lease" else TimeOutStep("s", 1))

        (request,) = driven.run.input_requests.values()
        assert (request.id, request.kind.value, request.expire_time) == ("s.effect.1", "unknown-effect", None)
        assert "must not be done twice" in request.prompt
        assert driven.run.state is RunState.INPUT_REQUIRED
        assert next_deadline(driven.run) is None

    def test_it_took_effect_so_it_is_done(self) -> None:
        driven = self.doubted()
        driven.do(ApproveInput("p", "s.effect.1"))

        assert driven.run.state is RunState.COMPLETED
        assert driven.output("s") == {}

    def test_it_took_none_so_it_is_done_again(self) -> None:
        driven = self.doubted()
        driven.do(RejectInput("p", "s.effect.1", "the log has no such mail"))

        assert driven.complete("s") == Reported("s", 2, StepState.COMPLETED)

    def test_the_one_whose_lease_was_taken_may_not_report_any_more(self) -> None:
        driven = self.doubted()

        with pytest.raises(LeaseLost, match="the step is input-required"):
            driven.do(CompleteStep("s", 1, "w"))

    def test_a_final_failure_leaves_no_doubt(self) -> None:
        driven = Driven(ONCE)

        assert driven.fail("s", FINAL) == Reported("s", 1, StepState.FAILED)

    @staticmethod
    def doubted() -> Driven:
        driven = Driven(ONCE)
        driven.claim("s")
        driven.turn(seconds=31)
        driven.do(ExpireLease("s", 1))
        return driven


class TestPeople:
    """Approvals, questions, and what happens when nobody answers."""

    APPROVED = flow("id: s, agent: a, approval: {prompt: Good?, timeout: 2d}", "id: t, agent: a, needs: s")

    def test_what_is_approved_goes_on_with_the_output_that_was_shown(self) -> None:
        driven = Driven(self.APPROVED)
        artifact = Artifact("a.md", "text/markdown", "sha256:00", 3, "https://x")
        driven.claim("s")

        assert driven.do(CompleteStep("s", 1, "w", {"a": 1}, (artifact,))) == Reported("s", 1, StepState.INPUT_REQUIRED)
        (request,) = driven.run.input_requests.values()
        assert (request.prompt, request.expire_time) == ("Good?", START + timedelta(days=2))
        assert driven.step("s").output is None

        driven.do(ApproveInput("p", request.id, "fine"))
        assert driven.output("s") == {"a": 1}
        assert driven.step("s").standing == Completed(Json(b'{"a":1}'), (artifact,))
        assert driven.states() == {"s": "completed", "t": "ready"}

    def test_what_is_rejected_is_done_again_and_counting_begins_anew(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true, retry: {max_attempts: 2}"))
        driven.fail("s")
        driven.turn(seconds=2)
        driven.do(RetryStep("s", 1))
        driven.complete("s")
        driven.do(RejectInput("p", "s.approval.2", "too long"))

        driven.fail("s")
        assert driven.step("s").state is StepState.BACKING_OFF
        assert driven.step("s").attempt == 3

    def test_a_rejection_may_end_the_run_even_of_an_optional_step(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true, optional: true"))
        driven.complete("s")
        driven.do(RejectInput("p", "s.approval.1", "no", fail_run=True))

        assert driven.run.failure == Failure("rejected", "no", step_id="s")

    def test_without_an_approval_in_time_the_step_fails(self) -> None:
        driven = Driven(self.APPROVED)
        driven.complete("s")
        driven.turn(days=2)

        assert due_commands(driven.run, driven.now) == (ExpireInput("s.approval.1"),)
        driven.do(ExpireInput("s.approval.1"))
        assert driven.run.failure
        assert driven.run.failure.code == "input-expired"

    def test_an_answer_is_an_output(self) -> None:
        driven = Driven(flow("id: s, ask: {prompt: x, choices: [a, b]}", "id: t, agent: a, needs: s"))

        with pytest.raises(InvalidRequest, match="send one of a, b"):
            driven.do(AnswerInput("p", "s.question", "c"))
        driven.do(AnswerInput("p", "s.question", "b"))
        assert driven.output("s") == {"answer": "b"}

    def test_a_default_holds_when_nobody_answers(self) -> None:
        driven = Driven(flow("id: s, ask: {prompt: x, timeout: 1d, default: {deep: [1]}}"))
        driven.turn(days=1)
        driven.do(ExpireInput("s.question"))

        assert driven.output("s") == {"answer": {"deep": [1]}}
        assert driven.run.resolutions["s.question"].command_id == ""

    def test_a_question_that_nobody_will_answer_may_be_left(self) -> None:
        driven = Driven(flow("id: s, ask: x, optional: true", "id: t, agent: a, needs: s"))
        driven.do(RejectInput("p", "s.question"))

        assert driven.states() == {"s": "skipped", "t": "ready"}

    def test_a_run_waits_for_people_only_when_nothing_else_can_go_on(self) -> None:
        driven = Driven(flow("id: s, ask: x", "id: t, agent: a"))
        states = [driven.run.state]
        driven.claim("t")
        states.append(driven.run.state)
        driven.complete("t")
        states.append(driven.run.state)
        driven.do(AnswerInput("p", "s.question", 1))
        states.append(driven.run.state)

        assert states == [RunState.SUBMITTED, RunState.WORKING, RunState.INPUT_REQUIRED, RunState.COMPLETED]

    def test_a_step_that_was_sent_back_a_thousand_times_is_given_up(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true"))
        for attempt in range(1, 1_001):
            driven.complete("s")
            driven.do(RejectInput(f"p{attempt}", f"s.approval.{attempt}"))

        assert driven.run.failure
        assert driven.run.failure.code == "too-many-attempts"


class TestRepetition:
    """The same command again gives the same answer and no event."""

    def test_start(self) -> None:
        driven = Driven(ONE)

        assert driven.do(StartRun("start-1", trace_context={"traceparent": "another"})) == Started("run-1")
        with pytest.raises(RequestIdReused):
            driven.do(StartRun("start-1", brief="another"))
        with pytest.raises(RequestIdReused):
            driven.do(StartRun("start-2"))

    def test_complete(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true", "id: t, agent: a, needs: s"))
        driven.claim("s")
        complete = CompleteStep("s", 1, "w", {"a": 1})
        first = driven.do(complete)
        driven.do(ApproveInput("p", "s.approval.1"))
        driven.complete("t")
        version = driven.run.version

        assert driven.do(complete) == first == Reported("s", 1, StepState.INPUT_REQUIRED)
        assert driven.do(CompleteStep("s", 1, "w", {"a": 2})) == first
        assert driven.run.version == version
        assert driven.output("s") == {"a": 1}

    def test_fail_also_when_the_step_has_gone_on(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        fail = FailStep("s", 1, "w", BROKEN)
        first = driven.do(fail)
        driven.turn(seconds=2)
        driven.do(RetryStep("s", 1))
        driven.complete("s")

        assert driven.do(fail) == first == Reported("s", 1, StepState.BACKING_OFF)

    def test_an_attempt_cannot_both_fail_and_be_done(self) -> None:
        driven = Driven(ONE)
        driven.fail("s")

        with pytest.raises(LeaseLost):
            driven.do(CompleteStep("s", 1, "w"))

    def test_resolve(self) -> None:
        driven = Driven(flow("id: s, agent: a, approval: true"))
        driven.complete("s")
        first = driven.do(ApproveInput("p", "s.approval.1", "fine"))

        assert isinstance(first, Resolved)
        assert driven.do(ApproveInput("p", "s.approval.1", "fine")) == first
        assert driven.do(ApproveInput("q", "s.approval.1", "fine")) == first
        with pytest.raises(InputAlreadyResolved, match="approve"):
            driven.do(RejectInput("q", "s.approval.1"))
        with pytest.raises(RequestIdReused):
            driven.do(ApproveInput("p", "s.approval.1", "not so fine"))

    def test_cancel(self) -> None:
        driven = Driven(ONE)
        first = driven.do(CancelRun("x"))

        assert driven.do(CancelRun("x")) == driven.do(CancelRun("y")) == first == Canceled(driven.run.version)

    def test_sweeps(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        driven.turn(seconds=30)

        assert driven.do(ExpireLease("s", 1)) == Swept(was_due=True)
        assert driven.do(ExpireLease("s", 1)) == Swept(was_due=False)


class TestSizes:
    """What is too large is refused with advice, and nothing has changed."""

    def test_an_output_up_to_its_bound(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")

        with pytest.raises(
            OutputTooLarge, match=r"1048577 bytes are more than the 1048576 .* as an artefact with its uri"
        ):
            driven.do(CompleteStep("s", 1, "w", {"a": "x" * ((1 << 20) - 7)}))
        assert driven.do(CompleteStep("s", 1, "w", {"a": "x" * ((1 << 20) - 8)})) == Reported(
            "s", 1, StepState.COMPLETED
        )

    def test_all_outputs_of_a_run_together(self) -> None:
        driven = Driven(flow("id: s, agent: a, for_each: range(17)"))
        for index in range(16):
            driven.complete(f"s[{index}]", {"a": "x" * 1_000_000})
        driven.claim("s[16]")

        with pytest.raises(OutputTooLarge, match=r"outputs up to s\[16\]"):
            driven.complete("s[16]", {"a": "x" * 1_000_000})

    def test_artefacts_that_are_sent_along(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")
        inline = [Artifact(f"{number}", "text/plain", "sha256:00", 600_000) for number in range(2)]
        stored = [Artifact(f"{number}", "text/plain", "sha256:00", 1 << 40, "s3://x") for number in range(64)]

        with pytest.raises(OutputTooLarge, match="artifacts: 1200000 bytes"):
            driven.do(CompleteStep("s", 1, "w", {}, tuple(inline)))
        with pytest.raises(InvalidRequest, match="65 artefacts are more than the 64 allowed"):
            driven.do(CompleteStep("s", 1, "w", {}, (*stored, inline[0])))
        assert driven.do(CompleteStep("s", 1, "w", {}, tuple(stored))) == Reported("s", 1, StepState.COMPLETED)

    def test_what_json_cannot_say(self) -> None:
        driven = Driven(flow("id: s, agent: a", "id: t, ask: x"))
        driven.claim("s")

        with pytest.raises(InvalidRequest, match="output: cannot be kept: nan"):
            driven.do(CompleteStep("s", 1, "w", {"a": float("nan")}))
        with pytest.raises(InvalidRequest, match="cannot be kept: inf"):
            driven.do(AnswerInput("p", "t.question", float("inf")))
        with pytest.raises(OutputTooLarge, match="answer"):
            driven.do(AnswerInput("p", "t.question", "x" * (1 << 20)))


class TestAgents:
    """Who does a step."""

    def test_the_loader_chooses_when_the_step_is_claimed(self) -> None:
        driven = Driven(flow("id: s, select: true", "id: t, agent: a"))
        driven.claim("s", agent_id="chosen")
        driven.claim("t", agent_id="another")

        assert (driven.step("s").agent_id, driven.step("t").agent_id) == ("chosen", "a")

    def test_claimable_steps_are_those_that_are_ready(self) -> None:
        driven = Driven(flow("id: s, agent: a", "id: t, agent: b", "id: u, agent: c, needs: t"))
        driven.claim("s")

        assert [step.id for step in driven.run.claimable_steps()] == ["t"]


class TestDeadlines:
    """When a run must be looked at again."""

    def test_the_earliest_of_all(self) -> None:
        driven = Driven(
            flow("id: s, agent: a", "id: t, agent: a, timeout: 20s", "id: u, ask: {prompt: x, timeout: 10s}")
        )
        assert next_deadline(driven.run) == START + timedelta(seconds=10)

        driven.do(AnswerInput("p", "u.question", 1))
        assert next_deadline(driven.run) is None

        driven.claim("s")
        assert next_deadline(driven.run) == START + LEASE
        driven.claim("t")
        assert next_deadline(driven.run) == START + timedelta(seconds=20)

        driven.do(CancelRun("x"))
        assert next_deadline(driven.run) is None

    def test_everything_that_is_due_is_named_the_earliest_first(self) -> None:
        driven = Driven(
            flow("id: s, agent: a", "id: t, agent: a, timeout: 20s", "id: u, ask: {prompt: x, timeout: 10s}")
        )
        driven.claim("s")
        driven.claim("t")

        assert due_commands(driven.run, START + timedelta(seconds=9)) == ()
        assert due_commands(driven.run, START + LEASE) == (
            ExpireInput("u.question"),
            TimeOutStep("t", 1),
            ExpireLease("s", 1),
            ExpireLease("t", 1),
        )

    def test_sweeping_at_each_deadline_brings_every_run_to_rest(self) -> None:
        driven = Driven(flow("id: s, agent: a, optional: true", "id: t, ask: {prompt: x, timeout: 1d, default: 1}"))
        sweeps = 0
        while (deadline := next_deadline(driven.run)) is not None or any(driven.run.claimable_steps()):
            for step in list(driven.run.claimable_steps()):
                driven.claim(step.id)
            driven.now = next_deadline(driven.run) or driven.now
            for command in due_commands(driven.run, driven.now):
                driven.do(command)
            sweeps += 1
        assert deadline is None

        assert driven.run.state is RunState.COMPLETED
        assert sweeps == 17


class TestInputs:
    """What a worker is given."""

    FLOW = """\
name: A
inputs:
  wish: text
  count: {type: number, default: 2}
steps:
  - {id: a, agent: x, outputs: [o]}
  - {id: b, agent: x, for_each: range(inputs.count), needs: a}
  - {id: c, agent: x, needs: [b, a]}
  - {id: d, agent: x, needs: b, for_each: "['p', 'q']", inputs: {what: item, at: index, all: "steps.b.outputs[*].n"}}
"""

    def test_everything_that_it_needs_where_the_definition_does_not_say(self) -> None:
        driven = Driven(self.FLOW, {"wish": "w"})
        driven.complete("a", {"o": "made"})
        driven.complete("b[1]", {"n": 1})
        driven.complete("b[0]", {"n": 0})

        given = step_inputs(driven.run, driven.step("c"))

        assert decode(given.document) == {
            "inputs": {"wish": "w", "count": 2},
            "steps": {"a": {"o": "made"}, "b": [{"n": 0}, {"n": 1}]},
        }
        assert given.item is None
        assert given.references == ()

    def test_what_the_definition_says_where_it_does(self) -> None:
        driven = Driven(self.FLOW, {"wish": "w"})
        driven.complete("a")
        driven.complete("b[0]", {"n": 5})
        driven.complete("b[1]")

        given = step_inputs(driven.run, driven.step("d[1]"))

        assert decode(given.document) == {"what": "q", "at": 1, "all": [5, None]}
        assert given.item == b'"q"'

    def test_outputs_that_are_too_large_together_are_given_by_reference(self) -> None:
        driven = Driven(flow("id: a, agent: x, for_each: range(3)", "id: b, agent: x, needs: a"))
        for index in range(3):
            driven.complete(f"a[{index}]", {"text": "x" * (900_000 + index)})

        given = step_inputs(driven.run, driven.step("b"))

        (reference,) = given.references
        assert (reference.step_id, reference.size_bytes) == ("a[2]", 900_013)
        assert reference.digest.startswith("sha256:")
        document = decode(given.document)
        assert isinstance(document, dict)
        assert isinstance(document["steps"], dict)
        assert document["steps"]["a"][2] is None
        assert len(given.document) < 2 << 20

    def test_large_inputs_of_the_run_leave_less_room_for_outputs(self) -> None:
        text = "name: A\ninputs: {wish: text}\nsteps:\n  - {id: a, agent: x, for_each: range(2)}\n  - {id: b, agent: x, needs: a}\n"
        driven = Driven(text, {"wish": "x" * 1_000_000})
        driven.complete("a[0]", {"text": "x" * 600_000})
        driven.complete("a[1]", {"text": "x" * 600_000})

        given = step_inputs(driven.run, driven.step("b"))

        assert [reference.step_id for reference in given.references] == ["a[0]"]
        assert len(given.document) < 2 << 20

    def test_a_step_that_was_skipped_gives_nothing(self) -> None:
        driven = Driven(flow("id: a, agent: x, for_each: '[]'", "id: b, agent: x, needs: a"))

        assert decode(step_inputs(driven.run, driven.step("b")).document) == {"inputs": {}, "steps": {}}
        assert driven.states() == {"a": "skipped", "b": "ready"}

    def test_the_standing_of_a_claim_tells_its_lease(self) -> None:
        driven = Driven(ONE)
        driven.claim("s")

        assert driven.step("s").standing == Working("w", "claim-1", LEASE, START + LEASE, START + timedelta(hours=1))
