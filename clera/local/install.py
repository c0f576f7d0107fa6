"""
Creates `.venv` and installs exactly what requirements-dev.txt pins, saying how far it is.

Runs on a bare Python, before anything is installed: only the standard library, nothing of Clera.
An interrupted run leaves nothing half-done behind that the next one would trust.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OLDEST = (3, 11)
NEWEST = (3, 14)
LOCK = "requirements-dev.txt"
PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==", re.MULTILINE)
STEP_SECONDS = 15
LINES_OF_FAILURE = 15
PIP = ("-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input", "--no-color")
REPORTS = ("--progress-bar=off", "--disable-pip-version-check", "--no-warn-script-location")


def main(checkout: Path) -> int:
    """Install whatever is missing, and return an exit code."""
    if is_current(checkout):
        stamp_of(checkout).touch()
        return 0
    try:
        make_environment(checkout)
        remove_halves(checkout)
        code = install(checkout)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    if code == 0:
        stamp_of(checkout).write_text(fingerprint(checkout))
    return code


def stamp_of(checkout: Path) -> Path:
    """Return the file that says what has been installed."""
    return checkout / ".venv" / ".installed"


def interpreter(checkout: Path) -> Path:
    """Return the environment's own Python."""
    return checkout / ".venv" / "bin" / "python"


def fingerprint(checkout: Path) -> str:
    """Sum up what should be installed."""
    return hashlib.sha256((checkout / LOCK).read_bytes()).hexdigest()


def is_current(checkout: Path) -> bool:
    """Tell whether the last complete installation was of this lock file, and still runs."""
    stamp = stamp_of(checkout)
    return stamp.exists() and stamp.read_text() == fingerprint(checkout) and runs(checkout)


def runs(checkout: Path) -> bool:
    """Tell whether the environment's Python works and has pip."""
    with contextlib.suppress(OSError):
        command = [str(interpreter(checkout)), "-c", "import pip"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def make_environment(checkout: Path) -> None:
    """Create the environment, unless a working one is there."""
    if not runs(checkout):
        version = ".".join(str(part) for part in sys.version_info[:3])
        print(f"Creating .venv with Python {version} ...", flush=True)
        venv.create(checkout / ".venv", with_pip=True, clear=True, symlinks=True)


def packages_folders(checkout: Path) -> Iterator[Path]:
    """Find where the environment keeps its packages."""
    yield from (checkout / ".venv" / "lib").glob("python*/site-packages")


def remove_halves(checkout: Path) -> None:
    """Forget packages that pip was interrupted in: the file INSTALLER is among its last steps."""
    for folder in packages_folders(checkout):
        for record in folder.glob("*.dist-info"):
            if not (record / "INSTALLER").exists():
                shutil.rmtree(record)


@dataclass
class Progress:
    """One line that tells what pip does: rewritten on a terminal, repeated in a log."""

    total: int
    folder: Path
    what: str = "starting pip"
    collected: int = 0
    began: float = field(default_factory=time.monotonic)
    _shown: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def note(self, line: str) -> None:
        """Learn from one line of pip's output."""
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self.collected += 1
            name = line.removeprefix("Collecting ").split("==")[0]
            self.what = f"fetching {self.collected} of {self.total}: {name[:30]}"
        elif line.startswith("Installing collected"):
            self.what = ""

    def show(self) -> None:
        """Write the line, if it is time to."""
        now = time.monotonic()
        installed = sum(1 for _ in self.folder.glob("*.dist-info"))
        what = self.what or f"installing {installed} of {self.total}"
        text = f"Installing packages, {now - self.began:3.0f} s: {what}"
        if sys.stdout.isatty():
            print(f"\r\x1b[K{text}", end="", flush=True)
        elif now - self._shown >= STEP_SECONDS:
            self._shown = now
            print(text, flush=True)

    def keep_showing(self) -> None:
        """Write the line again and again until the end."""
        while not self._ended.wait(0.5):
            self.show()

    def finish(self) -> None:
        """Write nothing more."""
        self._ended.set()
        if sys.stdout.isatty():
            print("\r\x1b[K", end="")


def install(checkout: Path) -> int:
    """Run pip on the lock file; the whole of its output goes to a log."""
    log = checkout / ".local" / "install.log"
    log.parent.mkdir(exist_ok=True, mode=0o700)
    total = len(PIN.findall((checkout / LOCK).read_text()))
    print(f"{total} packages, pinned with hashes; about two minutes the first time.", flush=True)
    progress = Progress(total, next(packages_folders(checkout)))
    command = [str(interpreter(checkout)), *PIP, *REPORTS, "-r", str(checkout / LOCK)]
    showing = threading.Thread(target=progress.keep_showing, daemon=True)
    with (
        log.open("w") as copy,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as pip,
    ):
        showing.start()
        try:
            for line in pip.stdout or ():
                copy.write(line)
                progress.note(line)
            code = pip.wait()
        finally:
            progress.finish()
    return tell_end(code, log, progress)


def tell_end(code: int, log: Path, progress: Progress) -> int:
    """Say how it went."""
    if code == 0:
        print(f"Installed in {time.monotonic() - progress.began:.0f} s.", flush=True)
        return 0
    lines = log.read_text(errors="replace").splitlines()[-LINES_OF_FAILURE:]
    print("\n".join(lines), file=sys.stderr)
    print(f"pip failed. Its whole output is in {os.path.relpath(log)};", file=sys.stderr)
    print("once that is mended, the same command goes on from here.", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2]))
