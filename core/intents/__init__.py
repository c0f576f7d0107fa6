"""
Intents: what we mean to have a vendor do, written down before the vendor hears of it.

The row holds the state; a lease says who may send; only reading the vendor leaves UNKNOWN.
See docs/architecture.md, "Intents".
"""
