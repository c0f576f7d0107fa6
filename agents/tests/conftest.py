from agents.tests.fixtures import (  # noqa: F401 - pytest finds fixtures by name
    ask,
    checkpoint_tables,
    customer,
    heard,
    pretend,
    pretend_server,
)
