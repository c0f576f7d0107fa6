"""The background work of the ledger: one service call each."""
