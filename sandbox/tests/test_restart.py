"""A sandbox with a data folder goes on where it was stopped."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk, application
from sandbox.world import Settings, World


def world(folder: Path, speed: float = 0) -> World:
    return World.create(Settings(speed=speed, data=folder))


def picture(desk: Desk, account_id: str) -> dict[str, Any]:
    trading = f"/v1/trading/accounts/{account_id}"
    return {
        "account": desk.trading_account(account_id),
        "positions": desk.call("GET", f"{trading}/positions"),
        "orders": desk.call("GET", f"{trading}/orders", params={"status": "all"}),
        "transfers": desk.call("GET", f"/v1/accounts/{account_id}/transfers"),
        "activities": desk.call(
            "GET", "/v1/accounts/activities", params={"account_id": account_id}
        ),
        "events": desk.send(
            "GET", "/v2/events/trades", params={"since": "2020-01-01", "until": "2100-01-01"}
        ).text,
        "effects": desk.server.effects(),
    }


class TestRestart:
    def test_everything_is_as_before(self, tmp_path):
        with running(world(tmp_path)) as server:
            desk = Desk(server)
            desk.set_price("AAPL", "200.00")
            account_id = desk.funded_account()
            desk.order(account_id, qty="3.5")
            desk.order(account_id, type="limit", qty="1", limit_price="100")
            desk.advance(5)
            before = picture(desk, account_id)

        with running(world(tmp_path)) as server:
            after = picture(Desk(server), account_id)

        assert after == before

    def test_what_was_on_its_way_arrives(self, tmp_path):
        with running(world(tmp_path)) as server:
            desk = Desk(server)
            account_id = desk.open_account()
            desk.transfer(account_id, desk.link_bank(account_id), "100")

        with running(world(tmp_path)) as server:
            desk = Desk(server)
            desk.advance(10)
            assert desk.cash(account_id) == 100

    def test_new_events_come_behind_all_old_ones(self, tmp_path):
        with running(world(tmp_path)) as server:
            Desk(server).open_account()
            old = ulids(server)

        with running(world(tmp_path)) as server:
            Desk(server).open_account()
            both = ulids(server)

        assert both[: len(old)] == old
        assert both == sorted(set(both))

    def test_time_does_not_fall_back(self, tmp_path):
        with running(world(tmp_path)) as server:
            ahead = server.control("clock", {"advance": 86_400})["now"]

        with running(world(tmp_path)) as server:
            assert server.control("clock", method="GET")["now"] >= ahead

    def test_a_reset_is_remembered_too(self, tmp_path):
        with running(world(tmp_path)) as server:
            Desk(server).open_account()
            server.control("reset")

        with running(world(tmp_path)) as server:
            assert Desk(server).call("GET", "/v1/accounts") == []
            assert server.effects() == []

    def test_no_number_of_a_person_or_bank_reaches_the_disk(self, tmp_path):
        with running(world(tmp_path)) as server:
            desk = Desk(server)
            desk.link_bank(desk.open_account())

        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"customer" in content
        assert b"123-45-6789" not in content
        assert b"123456789" not in content


def ulids(server: Server) -> list[str]:
    text = (
        Desk(server)
        .send(
            "GET",
            "/v1/events/accounts/status",
            params={"since": "2020-01-01", "until": "2100-01-01"},
        )
        .text
    )
    return [line.removeprefix("id: ") for line in text.split("\n") if line.startswith("id: ")]


class TestProgram:
    def test_it_says_when_it_is_ready_and_ctrl_c_stops_it_although_a_stream_is_open(self, tmp_path):
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(tmp_path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        root = Path(__file__).parents[2]
        with (
            subprocess.Popen(command, text=True, cwd=root, **pipes) as process,
            httpx.Client(auth=("CKSANDBOX", "sandbox-secret"), verify=False) as http,
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            url = line.rpartition(" ")[2].strip()
            applied = http.post(f"{url}/alpaca/broker/v1/accounts", json=application())
            with http.stream("GET", f"{url}/alpaca/broker/v2/events/trades") as stream:
                assert next(stream.iter_text()).startswith(": connected")
                process.send_signal(signal.SIGINT)
                code = process.wait(timeout=5)
            complaints = process.stderr.read()

        assert line.startswith("sandbox ready on http://127.0.0.1:")
        assert applied.status_code == 200
        assert code == 0
        assert "Traceback" not in complaints
        with running(world(tmp_path)) as server:
            assert len(Desk(server).call("GET", "/v1/accounts")) == 1

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SANDBOX_SPEED", "3"),
            ("SANDBOX_MARKET", "real"),
            ("SANDBOX_PUBLIC_URL", "http://localhost:8900"),
            ("SANDBOX_TRANSFERS_PER_DAY", "1"),
            ("SANDBOX_TRANSFER_DAILY_AMOUNT", "100"),
        ],
    )
    def test_the_environment_chooses(self, monkeypatch, name, value):
        monkeypatch.setenv(name, value)

        chosen = Settings.from_environment()

        assert {
            "SANDBOX_SPEED": str(int(chosen.speed)),
            "SANDBOX_MARKET": chosen.market,
            "SANDBOX_PUBLIC_URL": chosen.public_url,
            "SANDBOX_TRANSFERS_PER_DAY": str(chosen.transfers_per_day),
            "SANDBOX_TRANSFER_DAILY_AMOUNT": str(chosen.transfer_amount_per_day),
        }[name] == value
