"""Tasks take ids and nothing else, and an id that is wrong makes them do nothing."""

import contextlib
from inspect import Parameter
from types import NoneType
from typing import get_args, get_type_hints
from uuid import uuid4

import pytest
from celery import current_app

from core.errors import CleraError
from tests.authorization import registry, table
from tests.authorization.kinds import IDS
from tests.authorization.world import contents

pytestmark = pytest.mark.django_db
TAKING = [found for found in table.TASKS if found.takes]
TASKS = pytest.mark.parametrize("task", TAKING, ids=lambda task: task.name)
MALFORMED = ("", "x", "0", "' OR 1=1 --", "../..", "\0", "0" * 10_000, "None")
# All that a message on a queue may carry, and what leaks nothing when it is read there.
ALLOWED = (str, int, NoneType)


def others_than(kind, rows):
    """List the ids of everything else a customer has: real ones, of the wrong kind."""
    return [getattr(rows, name) for name in sorted(IDS - {kind})]


class TestWhatTasksTake:
    @pytest.mark.parametrize("name", sorted(registry.tasks()))
    def test_are_texts_and_numbers_by_name(self, name):
        task = registry.tasks()[name]
        hints = get_type_hints(task.run)
        for parameter in registry.parameters(task):
            kinds = get_args(hints[parameter.name]) or (hints[parameter.name],)
            assert parameter.kind in {Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
            assert set(kinds) <= set(ALLOWED), parameter

    def test_on_the_queue_is_json(self):
        assert current_app.conf.task_serializer == "json"
        assert set(current_app.conf.accept_content) == {"json"}

    @pytest.mark.parametrize("entry", sorted(current_app.conf.beat_schedule.items()), ids=str)
    def test_on_the_schedule_is_nothing(self, entry):
        _, scheduled = entry
        assert not scheduled.get("args")
        assert not scheduled.get("kwargs")
        assert scheduled["task"] in registry.tasks()


class TestIds:
    @TASKS
    def test_of_nothing_or_of_something_else_do_nothing(self, world, task):
        wrong = [*MALFORMED, *(str(uuid4()) for _ in range(3))]
        for name, kind in task.takes.items():
            for text in [*wrong, *others_than(kind, world.ada.rows)]:
                given = {n: getattr(world.bob.rows, k) for n, k in task.takes.items()}
                with world.undone() as vendors:
                    effects = vendors.effects()
                    with contextlib.suppress(CleraError, ValueError):  # such a task only fails
                        registry.tasks()[task.name].run(**(given | {name: text}))
                    assert contents() == world.contents, (name, text)
                    assert vendors.effects() == effects, (name, text)

    @TASKS
    def test_of_one_customer_leave_the_others_alone(self, world, task):
        given = {name: getattr(world.ada.rows, kind) for name, kind in task.takes.items()}
        with world.undone():
            registry.tasks()[task.name].run(**given)
            changed = {owner for (_, owner), _ in contents().items() ^ world.contents.items()}

        assert changed <= {world.ada.rows.user, ""}

    @TASKS
    def test_are_all_that_a_task_may_be_given(self, world, task):
        given = {name: getattr(world.ada.rows, kind) for name, kind in task.takes.items()}
        with world.undone() as vendors:
            effects = vendors.effects()
            with contextlib.suppress(TypeError):
                registry.tasks()[task.name].run(**given, user_id=world.bob.rows.user)
            others = {k: v for k, v in contents().items() if k[1] == world.bob.rows.user}
            assert others.items() <= world.contents.items()
            assert effects.keys() == vendors.effects().keys()
