"""The wheel as users get it: what is in it, and that the client works where nothing else is installed."""

import asyncio
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from ignis.agents.v1.agent_loader_pb2 import GetCatalogResponse
from ignis_server.rpc.server import RpcServer
from unit.client.scripted_server import ScriptedServer, serving

ROOT = Path(__file__).parents[2]

FIVE_LINES = """
import asyncio
from ignis_client import IgnisClient
async def main():
    async with IgnisClient("{address}") as ignis:
        loaded = await ignis.load_agents("tune PostgreSQL queries")
        print(*(agent.id for agent in loaded.agents), loaded.bundle.tokens)
asyncio.run(main())
"""

IN_A_SPAN = """
import asyncio
from ignis_client import IgnisClient
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
async def main():
    async with IgnisClient("{target}") as ignis:
        with use_span(NonRecordingSpan(SpanContext(trace_id=0xabc, span_id=0xdef, is_remote=False))):
            await ignis.get_catalog()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"ignis", "ignis_client", "ignis_server"}
    assert {"ignis_client/py.typed", "ignis/agents/v1/py.typed", "ignis_server/py.typed"} <= set(names)
    assert not [name for name in names if "test" in name.lower()]


def test_a_base_install_has_three_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        lines = archive.read(metadata).decode().splitlines()

    required = [line.split()[1] for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    names = {name.split(">")[0].split("<")[0] for name in required}
    assert names == {"googleapis-common-protos", "grpcio", "protobuf"}
    extra = [line.split()[1] for line in lines if line.startswith("Requires-Dist:") and "extra == 'otel'" in line]
    assert [name.split(">")[0] for name in extra] == ["opentelemetry-api"]
    model = [line.split()[1] for line in lines if line.startswith("Requires-Dist:") and "extra == 'openai'" in line]
    assert [name.split(">")[0] for name in model] == ["httpx2"]


async def test_the_wheel_with_its_extra_sends_the_trace(wheel: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    server.script(GetCatalogResponse())

    def in_empty_venv() -> str:
        venv.create(tmp_path / "venv", with_pip=True)
        python = tmp_path / "venv" / "bin" / "python"
        install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, wheel], check=True, timeout=300)
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True, timeout=60
        )
        subprocess.run([*install, f"{wheel}[otel]"], check=True, timeout=300)
        script = IN_A_SPAN.format(target=server.target)
        subprocess.run([python, "-W", "error", "-c", script], check=True, timeout=60)
        return listed.stdout

    async with serving(server):
        base = await asyncio.to_thread(in_empty_venv)

    assert "opentelemetry" not in base
    assert server.metadata[0]["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-00"


async def test_the_wheel_alone_in_an_empty_venv_calls_a_server(wheel: Path, server: RpcServer, tmp_path: Path) -> None:
    def in_empty_venv() -> tuple[str, str]:
        venv.create(tmp_path / "venv", with_pip=True)
        python = tmp_path / "venv" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True, timeout=300
        )
        script = FIVE_LINES.format(address=server.address)
        done = subprocess.run(
            [python, "-W", "error", "-c", script], check=True, capture_output=True, text=True, timeout=60
        )
        door = subprocess.run(
            [tmp_path / "venv" / "bin" / "ignis"], check=False, capture_output=True, text=True, timeout=60
        )
        return done.stdout, door.stderr

    printed, complaint = await asyncio.to_thread(in_empty_venv)

    assert printed.split()[0] == "backend/postgres-dba"
    assert complaint == "ignis: typer is not installed: pip install 'ignis-agents[server]'\n"
