"""Pretend vendors over HTTP and WebSocket, so that everything runs without a key."""
