"""Log lines."""

import json
import subprocess
import sys

FAIL = """
import structlog
from ignis_server.cli.logs import configure_logs

def answer(brief):
    raise ZeroDivisionError("no such thing")

configure_logs("info")
try:
    answer("what the caller wrote")
except ZeroDivisionError as error:
    structlog.get_logger().error("call.failed", exc_info=error)
"""


def test_a_traceback_tells_the_place_and_not_what_callers_wrote() -> None:
    ended = subprocess.run([sys.executable, "-c", FAIL], capture_output=True, text=True, check=True, timeout=60)

    line = json.loads(ended.stderr)
    assert line["exception"][0]["exc_value"] == "no such thing"
    assert [frame["name"] for frame in line["exception"][0]["frames"]] == ["<module>", "answer"]
    assert "wrote" not in ended.stderr.replace('answer(\\"what the caller wrote\\")', "")
