"""The AI: a small graph whose tools can read a portfolio and propose a trade, and nothing else."""

import os

# Read by langgraph when it is first imported: checkpoints may hold plain data and messages only.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
