"""`python -m sandbox`: serve the pretend vendors until stopped."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from sandbox import app
from sandbox.world import Settings, World


class _Server(uvicorn.Server):
    """Uvicorn, with one line on standard output once it listens."""

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            print(f"sandbox ready on http://{self.config.host}:{port}", flush=True)  # noqa: T201


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(env.get("SANDBOX_PORT", "8900")))
    parser.add_argument("--data", default="none", help="a folder, or `none` to forget at exit")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=float(env.get("SANDBOX_SPEED", "1")))
    return parser.parse_args(arguments)


def main() -> None:
    """Serve until stopped."""
    options = parse(sys.argv[1:])
    settings = Settings.from_environment(
        seed=options.seed,
        speed=options.speed,
        data=None if options.data == "none" else Path(options.data),
    )
    config = uvicorn.Config(
        app.build(World.create(settings)),
        host=options.host,
        port=options.port,
        log_level="warning",
        # Event streams never end by themselves: Ctrl-C must not wait for them.
        timeout_graceful_shutdown=1,
    )
    # Uvicorn has stopped in good order by the time it passes Ctrl-C on.
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config).run()


if __name__ == "__main__":
    main()
