"""What workers send."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import OutputTooLarge
from ignis_server.workflow.commands import CompleteStep, FailStep, HeartbeatStep
from ignis_server.workflow.journal import Offer
from ignis_server.workflow.limits import MAX_INLINE_BYTES
from ignis_server.workflow.wire.working import Claim, to_claim, to_completion, to_failure, to_heartbeat
from ignis_server.workflow.words import Artifact, Failure, TokenUsage
from support.runs import Driven
from support.violations import violations_of

REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"
LEASE = pb.Lease(run_id="run-1", step_id="s", attempt=1, worker_id="w")
USAGE = pb.TokenUsage(input_tokens=10, output_tokens=5, cache_read_tokens=4, cache_write_tokens=3)
FLOW = "name: A\nsteps: [{id: s, agent: x}]\n"
MOST_TOKENS = 100_000_000_000


class TestClaim:
    """ClaimStep."""

    @staticmethod
    def request(more: pb.ClaimStepRequest | None = None) -> pb.ClaimStepRequest:
        message = pb.ClaimStepRequest(worker_id="w", request_id=REQUEST_ID)
        if more:
            message.MergeFrom(more)
        return message

    def refused(self, more: pb.ClaimStepRequest) -> dict[str, str]:
        return violations_of(lambda: to_claim(self.request(more)))

    def test_an_offer_is_understood(self) -> None:
        message = self.request(
            pb.ClaimStepRequest(
                agents=["team/a", " b"],
                capabilities=["gpu", "echo"],
                run_id="run-1",
                wait=Duration(seconds=5),
                lease=Duration(seconds=7, nanos=500_000_000),
            )
        )

        assert to_claim(message) == Claim(
            REQUEST_ID,
            "w",
            Offer(frozenset({"gpu", "echo"}), frozenset({"team/a", "b"}), "run-1"),
            timedelta(seconds=5),
            timedelta(seconds=7.5),
        )

    def test_only_who_asks_is_required(self) -> None:
        assert to_claim(self.request()) == Claim(REQUEST_ID, "w", Offer(), timedelta(seconds=20), timedelta(seconds=30))
        assert violations_of(lambda: to_claim(pb.ClaimStepRequest())).keys() == {"worker_id", "request_id"}

    def test_an_executor_is_offered_as_a_capability(self) -> None:
        driven = Driven("name: A\nsteps: [{id: s, executor: echo, capabilities: [gpu]}]\n")
        required = driven.run.planned(driven.step("s")).definition.required_capabilities

        offer = to_claim(self.request(pb.ClaimStepRequest(capabilities=["echo", "gpu", "more"]))).offer

        assert offer.capabilities.issuperset(required)

    @pytest.mark.parametrize(
        ("sent", "wait"),
        [
            (Duration(), 0),
            (Duration(nanos=1_000), 0.000001),
            (Duration(seconds=59, nanos=999_999_000), 59.999999),
            (Duration(seconds=60), 60),
            (Duration(seconds=61), 60),
            (Duration(seconds=2**62), 60),
        ],
    )
    def test_a_wait_is_reduced(self, sent: Duration, wait: float) -> None:
        assert to_claim(self.request(pb.ClaimStepRequest(wait=sent))).wait == timedelta(seconds=wait)

    @pytest.mark.parametrize("wait", [Duration(seconds=-1), Duration(nanos=-1), Duration(seconds=-(2**62))])
    def test_a_negative_wait_is_refused(self, wait: Duration) -> None:
        found = self.refused(pb.ClaimStepRequest(wait=wait))

        assert found["wait"].endswith("s is not between 0 s and 60 s: send a span of that range")

    @pytest.mark.parametrize(
        ("lease", "is_refused"),
        [
            (Duration(), True),
            (Duration(seconds=4, nanos=999_999_999), True),
            (Duration(seconds=5), False),
            (Duration(seconds=3_600), False),
            (Duration(seconds=3_600, nanos=1), True),
            (Duration(seconds=2**62), True),
        ],
    )
    def test_a_lease_has_bounds(self, lease: Duration, *, is_refused: bool) -> None:
        found = self.refused(pb.ClaimStepRequest(lease=lease))

        assert list(found) == (["lease"] if is_refused else [])
        assert all(each.endswith("is not between 5 s and 3600 s: send a span of that range") for each in found.values())

    def test_lists_have_bounds(self) -> None:
        names = [str(number) for number in range(129)]

        assert self.refused(pb.ClaimStepRequest(agents=names[:128], capabilities=names[:64])) == {}
        assert self.refused(pb.ClaimStepRequest(agents=names, capabilities=names[:65])) == {
            "agents": "129 entries are more than the 128 allowed: send fewer",
            "capabilities": "65 entries are more than the 64 allowed: send fewer",
        }

    def test_names_have_bounds(self) -> None:
        at = pb.ClaimStepRequest(worker_id="w" * 128, run_id="r" * 128, agents=["a" * 1_024], capabilities=["c" * 128])
        above = pb.ClaimStepRequest(
            worker_id="w" * 129, run_id="r" * 129, agents=["a" * 1_025], capabilities=["c" * 129]
        )

        assert self.refused(at) == {}
        assert self.refused(above).keys() == {"worker_id", "run_id", "agents[0]", "capabilities[0]"}


REPORTS: dict[str, Callable[[pb.Lease | None, pb.TokenUsage | None], object]] = {
    "heartbeat": lambda lease, usage: to_heartbeat(pb.HeartbeatStepRequest(lease=lease, usage=usage)),
    "completion": lambda lease, usage: to_completion(pb.CompleteStepRequest(lease=lease, usage=usage)),
    "failure": lambda lease, usage: to_failure(
        pb.FailStepRequest(lease=lease, usage=usage, failure=pb.StepFailure(code="x"))
    ),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
class TestReports:
    """What all reports have in common."""

    def test_the_lease_is_required(self, report: Callable[..., object]) -> None:
        assert violations_of(lambda: report(None, None)) == {"lease": "is required: send it as it was claimed"}

    def test_all_of_the_lease_is_required(self, report: Callable[..., object]) -> None:
        assert violations_of(lambda: report(pb.Lease(), None)) == {
            "lease.attempt": "0 is not between 1 and 1000: send the lease as it was claimed",
            "lease.run_id": "must not be empty",
            "lease.step_id": "must not be empty",
            "lease.worker_id": "must not be empty",
        }

    @pytest.mark.parametrize(("attempt", "is_refused"), [(-1, True), (1, False), (1_000, False), (1_001, True)])
    def test_an_attempt_has_bounds(self, report: Callable[..., object], attempt: int, *, is_refused: bool) -> None:
        lease = pb.Lease(run_id="run-1", step_id="s", attempt=attempt, worker_id="w")

        assert list(violations_of(lambda: report(lease, None))) == (["lease.attempt"] if is_refused else [])

    @pytest.mark.parametrize(
        ("tokens", "is_refused"), [(-1, True), (0, False), (MOST_TOKENS, False), (MOST_TOKENS + 1, True)]
    )
    @pytest.mark.parametrize("field", pb.TokenUsage.DESCRIPTOR.fields_by_name)
    def test_tokens_have_bounds(
        self, report: Callable[..., object], field: str, tokens: int, *, is_refused: bool
    ) -> None:
        usage = pb.TokenUsage()
        setattr(usage, field, tokens)

        fact = f"{tokens} is not between 0 and {MOST_TOKENS}: send this attempt's tokens"
        assert violations_of(lambda: report(LEASE, usage)) == ({f"usage.{field}": fact} if is_refused else {})


class TestHeartbeat:
    """HeartbeatStep."""

    def test_a_sign_of_life_is_understood(self) -> None:
        message = pb.HeartbeatStepRequest(lease=LEASE, progress_message="half", usage=USAGE)

        assert to_heartbeat(message) == ("run-1", HeartbeatStep("s", 1, "w", "half", TokenUsage(10, 5, 4, 3)))

    def test_usage_that_is_not_known_is_none(self) -> None:
        assert to_heartbeat(pb.HeartbeatStepRequest(lease=LEASE)) == ("run-1", HeartbeatStep("s", 1, "w"))

    def test_words_have_a_bound(self) -> None:
        at = pb.HeartbeatStepRequest(lease=LEASE, progress_message="ü" * 512)
        above = pb.HeartbeatStepRequest(lease=LEASE, progress_message="ü" * 513)

        assert violations_of(lambda: to_heartbeat(at)) == {}
        assert violations_of(lambda: to_heartbeat(above)) == {
            "progress_message": "513 characters are more than the 512 allowed: shorten it"
        }


class TestCompletion:
    """CompleteStep."""

    def test_a_completion_is_understood(self) -> None:
        message = pb.CompleteStepRequest(lease=LEASE, usage=USAGE, artifacts=[pb.Artifact(name="a", content=b"abc")])
        message.output.update({"text": "x", "count": 2})

        completion = to_completion(message)

        digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert completion.run_id == "run-1"
        assert completion.command == CompleteStep(
            "s", 1, "w", {"text": "x", "count": 2}, (Artifact("a", "", digest, 3),), TokenUsage(10, 5, 4, 3)
        )
        assert completion.blobs == {digest: b"abc"}

    def test_nothing_made_is_a_completion(self) -> None:
        assert to_completion(pb.CompleteStepRequest(lease=LEASE)).command == CompleteStep("s", 1, "w")

    def test_everything_wrong_is_told_at_once(self) -> None:
        message = pb.CompleteStepRequest(artifacts=[pb.Artifact()], usage=pb.TokenUsage(input_tokens=-1))
        message.output.fields["bad"].SetInParent()

        assert violations_of(lambda: to_completion(message)).keys() == {
            "lease",
            "output.bad",
            "artifacts[0].name",
            "artifacts[0]",
            "usage.input_tokens",
        }

    @pytest.mark.parametrize(("beyond", "is_refused"), [(-1, False), (0, False), (1, True)])
    def test_an_output_has_a_bound_which_the_run_sees_to(self, beyond: int, *, is_refused: bool) -> None:
        message = pb.CompleteStepRequest(lease=LEASE)
        message.output.update({"x": "x" * (MAX_INLINE_BYTES - len('{"x":""}') + beyond)})

        assert self.is_too_large(message, "output") is is_refused

    @pytest.mark.parametrize(("beyond", "is_refused"), [(-1, False), (0, False), (1, True)])
    def test_contents_have_a_bound_which_the_run_sees_to(self, beyond: int, *, is_refused: bool) -> None:
        artifacts = [
            pb.Artifact(name="a", content=b"x" * (MAX_INLINE_BYTES // 2)),
            pb.Artifact(name="b", content=b"x" * (MAX_INLINE_BYTES // 2 + beyond)),
        ]

        message = pb.CompleteStepRequest(lease=LEASE, artifacts=artifacts)

        assert self.is_too_large(message, "artifacts") is is_refused

    @staticmethod
    def is_too_large(message: pb.CompleteStepRequest, name: str) -> bool:
        driven = Driven(FLOW)
        driven.claim("s")
        try:
            driven.do(to_completion(message).command)
        except OutputTooLarge as refused:
            return (refused.name, refused.limit_bytes) == (name, MAX_INLINE_BYTES)
        return False


class TestFailure:
    """FailStep."""

    def test_a_failure_is_understood(self) -> None:
        message = pb.FailStepRequest(
            lease=LEASE,
            failure=pb.StepFailure(code="model-refused", message="busy", retryable=True, step_id="ignored"),
            usage=USAGE,
            retry_after=Duration(seconds=90),
        )

        assert to_failure(message) == (
            "run-1",
            FailStep(
                "s",
                1,
                "w",
                Failure("model-refused", "busy", is_retryable=True),
                TokenUsage(10, 5, 4, 3),
                timedelta(seconds=90),
            ),
        )

    def test_why_is_required(self) -> None:
        assert violations_of(lambda: to_failure(pb.FailStepRequest(lease=LEASE))) == {
            "failure.code": "must not be empty"
        }

    def test_texts_have_bounds(self) -> None:
        at = pb.StepFailure(code="c" * 128, message="m" * 4_096)
        above = pb.StepFailure(code="c" * 129, message="m" * 4_097)

        assert violations_of(lambda: to_failure(pb.FailStepRequest(lease=LEASE, failure=at))) == {}
        assert violations_of(lambda: to_failure(pb.FailStepRequest(lease=LEASE, failure=above))) == {
            "failure.code": "129 characters are more than the 128 allowed: shorten it",
            "failure.message": "4097 characters are more than the 4096 allowed: shorten it",
        }

    @pytest.mark.parametrize(
        ("pause", "is_refused"),
        [
            (Duration(nanos=-1), True),
            (Duration(), False),
            (Duration(seconds=3_600), False),
            (Duration(seconds=3_600, nanos=1_000), True),
            (Duration(seconds=3_601), True),
        ],
    )
    def test_a_pause_has_bounds(self, pause: Duration, *, is_refused: bool) -> None:
        message = pb.FailStepRequest(lease=LEASE, failure=pb.StepFailure(code="x"), retry_after=pause)

        assert list(violations_of(lambda: to_failure(message))) == (["retry_after"] if is_refused else [])
