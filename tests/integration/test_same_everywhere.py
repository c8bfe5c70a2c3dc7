"""The same request gets the same bytes and scores in every process, on whatever processor and with any number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

ASK = """
import sys
from pathlib import Path
from ignis.agents.v1.agent_loader_pb2 import LoadAgentsResponse
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import Project
from ignis_server.agents.selection.embedding import load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.agents.wire.loading import from_loaded
from ignis_server.clock import SystemClock
from ignis_server.signals import NoSignals

examples = Path(sys.argv[1])
snapshot = compile_snapshot(
    read_directories((examples / "catalog",)),
    tokenizer=load_o200k_base(),
    selector=HybridSelector(load_embedder()),
    clock=SystemClock(),
)
loader = AgentLoader(clock=SystemClock(), signals=NoSignals())
for brief in sorted((examples / "briefs").iterdir()):
    for min_recall in (None, 0.95):
        project = Project(brief=brief.read_text(encoding="utf-8"), min_recall=min_recall)
        print(LoadAgentsResponse.FromString(from_loaded(loader.load(LoadRequest.of(project, 9_000), snapshot))))
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "7"},
        {"OPENBLAS_NUM_THREADS": "4"},
        # As on processors of other generations; where these are baseline or absent, it is the same run once more.
        {"OPENBLAS_CORETYPE": "Nehalem"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512F AVX2 FMA3"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_answers_do_not_depend_on_the_process(environment: dict[str, str], usual_answers: str) -> None:
    assert answers(environment) == usual_answers


@pytest.fixture(scope="module")
def usual_answers() -> str:
    usual = answers({})
    assert usual.count("expected_recall") >= 4
    return usual


def answers(environment: dict[str, str]) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, str(EXAMPLES)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ended.stdout
