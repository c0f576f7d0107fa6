"""What kinds of kept valuations there are, and where their prices are from."""

from django.db.models import TextChoices


class Kind(TextChoices):
    CLOSE = "CLOSE", "after the session's close"


class Source(TextChoices):
    PUBLISHED = "PUBLISHED", "the prices that sockets follow"
    ASKED = "ASKED", "these, and the vendor's answer for those that lacked"
