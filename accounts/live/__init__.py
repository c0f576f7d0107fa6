"""The sockets on which an account's owner hears what happens to it."""
