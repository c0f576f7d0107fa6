"""Start-up of the portfolio app."""

from django.apps import AppConfig


class PortfolioConfig(AppConfig):
    name = "portfolio"
