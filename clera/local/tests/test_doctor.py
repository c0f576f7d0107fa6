import subprocess
import sys

from clera.local.home import CHECKOUT
from clera.local.tests.factories import plain_env


class TestDoctor:
    def test_tries_the_servers_and_says_what_to_do_about_a_port(self, tmp_path, taken_port):
        told = subprocess.run(
            [sys.executable, "-m", "clera.local", "doctor"],
            env=plain_env(CLERA_LOCAL_DIR=str(tmp_path / ".local"), PORT=str(taken_port)),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = told.stdout.splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("problem ports"))

        assert f"Port {taken_port} is in use by" in lines[at]
        assert lines[at + 1].strip() == "-> set PORT in .env"
        servers = lines[-1]
        assert servers.startswith("ok      servers   PostgreSQL 18.")
        assert servers.endswith("and Redis started, answered and ended")
        assert told.returncode == 1
