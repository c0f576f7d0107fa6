"""Value at the edge: every web process values the accounts of the sockets it holds."""
