"""The command line: `python -m clera.local run | stop | reset | doctor | exec`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from clera.local import control, doctor, execute, run
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.terminal import Terminal


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(prog="python -m clera.local", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="run everything until Ctrl-C")
    running.add_argument("--reload", action="store_true", help="restart the web on changes")
    commands.add_parser("stop", help="end what runs here")
    reset = commands.add_parser("reset", help="delete all local data")
    reset.add_argument("--force", action="store_true", help="do not ask")
    commands.add_parser("doctor", help="check that this machine can run Clera")
    execute_ = commands.add_parser("exec", help="run a command with PostgreSQL and Redis at hand")
    execute_.add_argument("--test", action="store_true", help="on fresh servers, then forget them")
    execute_.add_argument("program", nargs=argparse.REMAINDER, help="-- and the command")
    return top


def perform(asked: argparse.Namespace, where: Home) -> int:
    """Carry out one command and return its exit code."""
    if asked.command == "run":
        return run.run(where, is_reloading=asked.reload)
    if asked.command == "exec":
        program = asked.program[1:] if asked.program[:1] == ["--"] else asked.program
        return execute.execute(where, program, is_test=asked.test)
    if asked.command == "doctor":
        return 1 if doctor.examine(where, Terminal()) else 0
    print(control.stop(where) if asked.command == "stop" else _reset(where, asked))
    return 0


def _reset(where: Home, asked: argparse.Namespace) -> str:
    return control.reset(where, is_forced=asked.force)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what the command line asks for; a problem is one sentence, not a traceback."""
    where = Home(Path(os.environ.get("CLERA_LOCAL_DIR") or CHECKOUT / ".local"))
    try:
        return perform(parser().parse_args(arguments), where)
    except LocalError as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
