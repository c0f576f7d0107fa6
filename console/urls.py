"""The page at / and, on one's own machine only, a token for its demo customer."""

from django.urls import path

from console import views

urlpatterns = [
    path("", views.page, name="console"),
    path("local/token", views.LocalToken.as_view(), name="local-token"),
]
