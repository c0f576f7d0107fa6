"""Whole runs for the tests, with small programs in the place of Clera's own."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clera.local import guard, ports
from clera.local.home import CHECKOUT, Home
from clera.local.tests.factories import plain_env, python

WEB = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/ready" else 404)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
# Notes its own id and those of two children: one in its group, one that has left for a session.
FAMILY = """
import os, pathlib, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
for is_leaving in (False, True):
    code = "import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=is_leaving)
    (folder / str(child.pid)).touch()
(folder / str(os.getpid())).touch()
print("family complete")
while True: time.sleep(60)
"""
STUBBORN = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SEED = """
import json, pathlib, sys
demo = {"api_key": "clr_test_key", "admin": {"username": "ada", "password": "pw-of-ada"},
        "customer": {"email": "eve@example.com", "account_id": "acc-1", "token": "jwt-1"},
        "commands": {"balance": "curl balance"}}
pathlib.Path(sys.argv[1]).write_text(json.dumps(demo))
"""
RUNNER = """
import json, os, sys
from pathlib import Path
from clera.local import control, guard, run
from clera.local.errors import LocalError
from clera.local.home import Home
from clera.local.processes import Plan, Process
told = json.loads(sys.argv[1])
guard.GRACE_SECONDS[guard.Wave.PROGRAMS] = told["grace"]
where = Home(Path(told["local"]))
make = lambda name: Process(name, ("-c", *told[name]))
plan = Plan(tuple(make(n) for n in told["processes"]), (make("migrate"),), make("seed"), None,
            told["port"])
url = f"http://127.0.0.1:{told['port']}"
env = {**os.environ, **told["env"], "CLERA_URL": url, "SANDBOX_URL": "http://sandbox"}
try:
    sys.exit(run.serve(where, plan, env, lock=control.claim(where)))
except LocalError as problem:
    print(problem)
    sys.exit(1)
"""
ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere/x", "REDIS_URL": "redis://elsewhere"}


@contextmanager
def home_in(folder: Path):
    found = Home(folder / ".local")
    found.make()
    yield found
    if found.local.exists():
        found.forget()


@contextmanager
def runs_in(where: Home):
    runs = []

    def start(env=ELSEWHERE, grace=guard.GRACE_SECONDS[guard.Wave.PROGRAMS], **programs):
        port = ports.any_free()
        told = {"local": str(where.local), "port": port, "env": env, "grace": grace}
        told |= {"migrate": ["print('migrated')"], "seed": [SEED, f"{where.local}/demo.json"]}
        told |= {"web": [WEB, str(port)], "processes": ["web", *programs], **programs}
        run = python(RUNNER, json.dumps(told))
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.poll() is None:
            run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)


@dataclass
class Running:
    """A run that is ready, for the tests that only look at it."""

    where: Home
    start: Callable
    run: subprocess.Popen
    shown: str


def command(where: Home, *words: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "clera.local", *words],
        env=plain_env(CLERA_LOCAL_DIR=str(where.local), **env),
        cwd=CHECKOUT,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=100,
    )
