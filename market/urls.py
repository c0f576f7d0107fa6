"""Routes of the market app."""

from django.urls import path

from market.views import Company

urlpatterns = [path("api/company/<str:ticker>", Company.as_view(), name="company")]
