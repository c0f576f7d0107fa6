"""The web page for people, and the commands that tell the product's story."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
