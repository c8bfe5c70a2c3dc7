"""Artefacts on the wire."""

import hashlib

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.wire.artifacts import from_artifact, to_artifacts
from ignis_server.workflow.words import Artifact
from support.violations import violations_of

CONTENT = b"# Title"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def elsewhere(more: pb.Artifact | None = None) -> pb.Artifact:
    artifact = pb.Artifact(name="big", uri="s3://bucket/big", digest=DIGEST, size_bytes=7)
    if more:
        artifact.MergeFrom(more)
    return artifact


def refused(*messages: pb.Artifact) -> dict[str, str]:
    def understand() -> None:
        checks = Checks()
        to_artifacts(checks, messages)
        checks.finish()

    return violations_of(understand)


def test_bytes_are_parted_from_what_is_said_of_them() -> None:
    sent = [
        pb.Artifact(name="a.md", media_type="text/markdown", content=CONTENT),
        pb.Artifact(name="b.md", content=CONTENT, digest=DIGEST, size_bytes=7),
        elsewhere(),
    ]

    artifacts, blobs = to_artifacts(Checks(), sent)

    assert artifacts == (
        Artifact("a.md", "text/markdown", DIGEST, 7),
        Artifact("b.md", "", DIGEST, 7),
        Artifact("big", "", DIGEST, 7, "s3://bucket/big"),
    )
    assert blobs == {DIGEST: CONTENT}


def test_artefacts_come_back_with_their_bytes() -> None:
    sent = [pb.Artifact(name="a.md", content=CONTENT, digest=DIGEST, size_bytes=7), elsewhere()]

    artifacts, blobs = to_artifacts(Checks(), sent)

    assert [from_artifact(each, blobs) for each in artifacts] == sent


def test_bytes_that_are_not_at_hand_are_left_out() -> None:
    message = from_artifact(Artifact("a.md", "text/markdown", DIGEST, 7), {})

    assert message.WhichOneof("location") is None
    assert (message.digest, message.size_bytes) == (DIGEST, 7)


def test_an_empty_file_is_one() -> None:
    artifacts, blobs = to_artifacts(Checks(), [pb.Artifact(name="empty", content=b"")])

    assert artifacts[0].size_bytes == 0
    assert blobs == {artifacts[0].digest: b""}
    assert from_artifact(artifacts[0], blobs).HasField("content")


def test_there_are_sixty_four_at_most() -> None:
    sent = [pb.Artifact(name=str(number), content=b"") for number in range(65)]

    assert refused(*sent[:64]) == {}
    assert refused(*sent) == {"artifacts": "65 entries are more than the 64 allowed: put some together"}


@pytest.mark.parametrize(
    ("field", "most"), [("name", 256), ("media_type", 512), ("uri", 2_048)], ids=["name", "media_type", "uri"]
)
def test_texts_have_bounds(field: str, most: int) -> None:
    at, above = elsewhere(), elsewhere()
    setattr(at, field, "x" * most)
    setattr(above, field, "x" * (most + 1))

    assert refused(at) == {}
    fact = f"{most + 1} characters are more than the {most} allowed: shorten it"
    assert refused(above) == {f"artifacts[0].{field}": fact}


def test_a_name_is_unique_and_says_something() -> None:
    assert refused(elsewhere(), elsewhere(), pb.Artifact(content=b"")) == {
        "artifacts[1].name": "another artefact is called 'big' too: rename one",
        "artifacts[2].name": "must not be empty",
    }


def test_what_lies_nowhere_is_refused() -> None:
    assert refused(pb.Artifact(name="a")) == {"artifacts[0]": "says neither content nor uri: send one of them"}


@pytest.mark.parametrize("digest", ["", "sha256:12", DIGEST.upper(), DIGEST[7:], f"{DIGEST}\n"])
def test_what_lies_elsewhere_has_a_digest(digest: str) -> None:
    artifact = elsewhere()
    artifact.digest = digest

    assert refused(artifact) == {
        "artifacts[0].digest": "is required where uri is given: "
        'send "sha256:" and the 64 lower-case hexadecimal digits of its bytes'
    }


def test_a_size_is_not_negative() -> None:
    assert refused(elsewhere(pb.Artifact(size_bytes=-1))) == {
        "artifacts[0].size_bytes": "-1 is negative: send how many bytes it has"
    }


def test_what_is_said_of_bytes_must_hold() -> None:
    wrong = pb.Artifact(name="a", content=CONTENT, digest="sha256:12", size_bytes=8)

    assert refused(wrong) == {
        "artifacts[0].digest": f"is not that of content, which is {DIGEST}: send what was meant, or leave it out",
        "artifacts[0].size_bytes": "8 is not that of content, 7: leave it out",
    }
