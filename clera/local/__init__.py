"""Runs all of Clera on one machine: PostgreSQL, Redis, the pretend vendors and our processes."""
