"""`python -m benchmarks` runs every benchmark in turn and prints what each measured."""

import subprocess
import sys

PROGRAMS = (
    "benchmarks.live_fanout",
    "benchmarks.sockets",
    "benchmarks.whole_book",
    "benchmarks.ingest",
    "benchmarks.ticks",
    "benchmarks.auth",
    "benchmarks.events",
    "benchmarks.money",
)


def main() -> int:
    """Run them one after the other, each in a process of its own; the worst exit code counts."""
    codes = []
    for program in PROGRAMS:
        print(f"\n== {program}", flush=True)
        done = subprocess.run([sys.executable, "-m", program, *sys.argv[1:]], check=False)
        codes.append(done.returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
