"""Conversations between customers and the agents: messages, runs and resumable streams."""
