"""Every command of the README runs as it stands."""

import re
import subprocess
import sys

import pytest

from tests.e2e.running import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def script() -> str:
    blocks = re.findall(
        r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) >= 7
    return "set -euo pipefail\n" + "\n".join(blocks)


def test_the_examples_run_one_after_the_other(clera, tmp_path):
    port = clera.url.rsplit(":", 1)[1]
    commands = script().replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    commands = commands.replace(".venv/bin/python", sys.executable)

    done = subprocess.run(
        ["bash", "-c", commands],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"APPROVED"' in done.stdout.replace(" ", "")
    assert "snapshot $" in done.stdout
    assert "Keyword planner" in done.stdout
