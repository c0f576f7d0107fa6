from pathlib import Path

import pytest
import yaml

from clera.local import processes
from clera.local.home import CHECKOUT


@pytest.fixture
def plan():
    return processes.plan(web_port=8000, sandbox_port=8900, local=Path("L"), reload=())


@pytest.fixture
def services():
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]


class TestPlan:
    def test_names_every_process_once(self, plan):
        names = [process.name for process in plan.processes]

        assert names == ["web", "worker", "agents", "streams", "beat"]

    def test_keeps_money_and_agents_in_different_processes(self, plan):
        queues = {
            process.name: process.arguments[process.arguments.index("-Q") + 1]
            for process in plan.processes
            if "-Q" in process.arguments
        }

        assert queues == {"worker": "money,default", "agents": "agents", "streams": "streams"}

    def test_gives_the_agents_their_own_database_role(self, plan):
        roles = {process.name: process.env.get("DATABASE_ROLE") for process in plan.processes}

        assert roles.pop("agents") == "clera_agents"
        assert set(roles.values()) == {None}

    def test_has_no_sandbox_of_ours_when_the_vendors_are_elsewhere(self):
        plan = processes.plan(web_port=1, sandbox_port=None, local=Path("L"), reload=())

        assert plan.sandbox is None


class TestContainers:
    def test_prepare_the_database_the_same_way(self, plan, services):
        steps = [" ".join(("python", *step.arguments)) for step in plan.steps]
        command = services["migrate"]["command"][-1]

        assert command.split(" && ") == [step.replace(" --verbosity 0", "") for step in steps]

    @pytest.mark.parametrize(
        ("service", "name"), [("worker", "worker"), ("worker-agents", "agents"), ("streams",) * 2]
    )
    def test_run_the_same_commands(self, plan, services, service, name):
        process = next(one for one in plan.processes if one.name == name)

        assert ["-m", *services[service]["command"]] == list(process.arguments)

    def test_serve_the_web_the_same_way_on_every_address(self, plan):
        dockerfile = (CHECKOUT / "Dockerfile").read_text()
        command = dockerfile.rsplit("\nCMD ", 1)[1].replace("\\\n", "")
        local = [word.replace("127.0.0.1", "0.0.0.0") for word in plan.processes[0].arguments]

        assert ["-m", *yaml.safe_load(command)] == local

    def test_hold_no_secret_that_could_be_taken_for_a_real_one(self, services):
        passwords = {
            value
            for service in services.values()
            for name, value in (service.get("environment") or {}).items()
            if "PASSWORD" in name
        }

        assert passwords == {
            "${POSTGRES_PASSWORD:-local-only}",
            "${CLERA_OWNER_PASSWORD:-local-only}",
        }

    def test_listen_on_this_machine_only(self, services):
        published = [port for service in services.values() for port in service.get("ports", [])]

        assert published
        assert all(port.startswith("127.0.0.1:") for port in published)


class TestReloadFolders:
    def test_are_our_packages_without_the_ignored_ones(self, tmp_path):
        for name in ("core", "trading", ".venv", "notes"):
            (tmp_path / name).mkdir()
        for name in ("core", "trading", ".venv"):
            (tmp_path / name / "__init__.py").touch()

        found = processes.reload_folders(tmp_path, f"{processes.IGNORED_PATHS};trading")

        assert found == (str(tmp_path / "core"),)
