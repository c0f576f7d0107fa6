"""Routes of the portfolio app."""

from django.urls import path

from portfolio.views import FundingStatus, PortfolioValue

urlpatterns = [
    path("api/portfolio/value", PortfolioValue.as_view(), name="portfolio-value"),
    path(
        "api/account/<str:account_id>/funding-status",
        FundingStatus.as_view(),
        name="funding-status",
    ),
]
