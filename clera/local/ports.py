"""Choosing ports on this machine."""

import contextlib
import socket

import psutil

from clera.local.errors import LocalError

HOST = "127.0.0.1"
SEARCHED = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
            trial.listen()
        except OSError:
            return False
    return True


def any_free() -> int:
    """Let the system choose a free port."""
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        port: int = trial.getsockname()[1]
    return port


def next_free(port: int) -> int:
    """
    Return the port, or the first free one after it.

    :raises LocalError: a whole range is taken.
    """
    for candidate in range(port, port + SEARCHED):
        if is_free(candidate):
            return candidate
    raise LocalError(f"No port between {port} and {port + SEARCHED} is free.")


def need_free(port: int, *, variable: str) -> None:
    """
    Insist on the port.

    :raises LocalError: it is taken; names who has it and the variable that chooses another.
    """
    if not is_free(port):
        raise LocalError(
            f"Port {port} is in use by {holder_of(port)}; choose another with"
            f" {variable}={next_free(port + 1)} or end that program."
        )


def holder_of(port: int) -> str:
    """Name the program that listens on the port, as far as we may see it."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            is_server = connection.status == psutil.CONN_LISTEN and connection.pid
            if is_server and connection.laddr and connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"
