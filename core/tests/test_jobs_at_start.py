"""A web process that has just started may be asked many things at once."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import threading, django
django.setup()
from core import jobs

start, found = threading.Barrier(8), []

def look():
    start.wait()
    found.append(jobs._task("accounts.apply_events").name)

threads = [threading.Thread(target=look) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found))
"""


def test_each_of_the_first_requests_finds_its_task():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "clera.settings.test"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert told.stdout.split() == ["8"], told.stderr
