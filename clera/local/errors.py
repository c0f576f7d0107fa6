"""What a person who runs Clera on one machine is told when it cannot go on."""


class LocalError(Exception):
    """Carries one sentence that says what is wrong and what to do; the command line prints it."""
