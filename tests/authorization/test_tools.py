"""The model's tools: no argument names a customer, and none that is slipped in has any effect."""

import re
from itertools import cycle, islice
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph

from agents.context import AgentContext
from agents.graph import OUR_FAULT
from agents.graph import _guarded as guarded
from agents.nodes import tools as step
from agents.state import MAX_TOOL_CALLS, TurnState
from agents.tests.worker import worker_of_the_agents
from agents.tools import TOOLS
from core.auth import SYSTEM, Kind, Principal, acting_as
from tests.authorization.vendors import in_use
from tests.authorization.world import contents

TOOL = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
CALLS = 1000
USUAL = {"propose_trade": {"symbol": "AAPL", "side": "buy", "notional": 10}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
# What says, or could be taken to say, whose a thing is.
WORDS = {
    "account", "user", "customer", "principal", "owner", "thread", "conversation", "session",
    "run", "tenant", "context", "runtime", "config", "id", "sub", "scope", "key", "token",
}  # fmt: skip


def words_of(schema) -> set[str]:
    """List the words that the names of a schema's properties are made of, however deep."""
    found = set()
    if isinstance(schema, dict):
        for name in schema.get("properties", {}):
            found |= set(name.lower().split("_"))
        for part in schema.values():
            found |= words_of(part)
    elif isinstance(schema, list):
        for part in schema:
            found |= words_of(part)
    return found


class TestSchemas:
    @TOOL
    def test_name_nobody(self, tool):
        shown = tool.tool_call_schema.model_json_schema()

        assert words_of(shown) & WORDS == set()

    @TOOL
    def test_forbid_what_they_do_not_name(self, tool):
        assert tool.args_schema.model_config["extra"] == "forbid"

    @TOOL
    def test_take_the_customer_from_the_context(self, tool):
        assert "runtime" in tool.get_input_schema().model_fields
        assert "runtime" not in tool.args


def slipped_in(ada, bob):
    """List what a call might carry to reach another customer's things."""
    theirs = {name: getattr(bob, name) for name in bob.__dataclass_fields__}
    forged = {"context": {"principal": {"user_id": bob.user}, "account_id": bob.account}}
    names = ("account_id", "user_id", "customer_id", "thread_id", "run_id", "conversation_id")
    ids = (bob.account, bob.user, bob.conversation, bob.run, bob.order, bob.proposal)
    yield from ({name: value} for name in names for value in ids)
    yield from ({name: value} for name, value in theirs.items())
    yield from ({"runtime": forged}, {"config": {"configurable": forged}}, {"context": forged})
    yield from ({"principal": bob.user}, {"principal": {"user_id": bob.user, "kind": "SYSTEM"}})
    yield {"state": {"messages": [], "account_id": bob.account}}
    yield {"tool_call_id": "mine", "account_id": bob.account}
    yield from ({"symbol": value} for value in ids)
    yield from ({"side": bob.account}, {"notional": bob.account}, {"quantity": [bob.account]})


def calls(world):
    """Make the calls of a thief's model: every tool with everything slipped in, over and over."""
    wishes = [
        (tool.name, USUAL.get(tool.name, {}) | extra)
        for extra in slipped_in(world.ada.rows, world.bob.rows)
        for tool in TOOLS
    ]
    for number, (name, arguments) in enumerate(islice(cycle(wishes), CALLS)):
        yield {"name": name, "args": arguments, "id": f"call-{number}", "type": "tool_call"}


def is_extra(call) -> bool:
    """Say whether a call has an argument that its tool does not name; we overwrite `runtime`."""
    [tool] = [tool for tool in TOOLS if tool.name == call["name"]]
    return not call["args"].keys() <= tool.args.keys() | {"runtime"}


def tool_step():
    """Compile the step of the graph that runs tools, and that step alone."""
    builder = StateGraph(TurnState, context_schema=AgentContext)
    builder.add_node("tools", step.make(TOOLS, around=guarded))
    builder.add_edge(START, "tools")
    return builder.compile()


def texts_of(turn, context):
    """Run one turn's calls and return what the model is told of them."""
    said = AIMessage("", tool_calls=turn)
    given = {"messages": [said], "run_id": "", "model_calls": 0, "tool_calls": 0}
    answers = tool_step().invoke(given, context=context)["messages"][1:]
    return [message.text for message in answers]


def turn_of(rows):
    """Say for whom a turn of theirs works."""
    return AgentContext(
        principal=Principal(kind=Kind.CUSTOMER, user_id=rows.user),
        run_id=uuid4(),
        account_id=UUID(rows.account),
    )


class TestAgentsRole:
    """What a tool reads, the role of the agents' worker has to be allowed to read."""

    @pytest.mark.django_db(transaction=True)
    @TOOL
    def test_lets_each_tool_work_and_sees_what_the_product_sees(self, committed_world, tool):
        context = turn_of(committed_world.ada.rows)
        call = {"name": tool.name, "args": USUAL.get(tool.name, {}), "id": "1", "type": "tool_call"}
        with in_use(committed_world.vendors.copied()):
            [ours] = texts_of([call], context)
            with worker_of_the_agents():
                [theirs] = texts_of([call], context)

        assert OUR_FAULT not in ours
        # When an answer was made is no part of it.
        assert TIME.sub("", theirs) == TIME.sub("", ours)


@pytest.mark.slow
class TestAThousandCalls:
    @pytest.mark.django_db(transaction=True)
    def test_cross_nothing(self, committed_world):
        world = committed_world
        context = turn_of(world.ada.rows)
        wanted = list(calls(world))
        with in_use(world.vendors.copied()) as vendors:
            effects = vendors.effects()
            told = [
                text
                for start in range(0, CALLS, MAX_TOOL_CALLS)
                for text in texts_of(wanted[start : start + MAX_TOOL_CALLS], context)
            ]
            assert vendors.effects() == effects

        assert len(told) == CALLS
        assert {m for m in world.bob.marks if any(m in text for text in told)} == set()
        refused = [text.startswith("The arguments are not valid.") for text in told]
        pairs = zip(wanted, refused, strict=True)
        assert [call for call, is_no in pairs if is_extra(call) and not is_no] == []
        changed = {key for key, _ in contents().items() ^ world.contents.items()}
        adas = world.ada.rows.user
        assert changed <= {("trading_proposal", adas), ("trading_proposalline", adas)}
        with acting_as(SYSTEM):
            proposals = apps.get_model("trading.Proposal").objects.filter(run_id=context.run_id)
            owners = set(proposals.values_list("user_id", "account_id"))
        assert owners == {(world.ada.rows.user, context.account_id)}
