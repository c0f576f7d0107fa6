"""Routes of the portfolio app."""

from django.urls import path

from portfolio.views import PortfolioValue

urlpatterns = [
    path("api/portfolio/value", PortfolioValue.as_view(), name="portfolio-value"),
]
