"""Where conversations are reached."""

from django.urls import path

from chat import views

urlpatterns = [
    path("api/chat", views.Chat.as_view(), name="chat"),
    path("api/conversations", views.Conversations.as_view(), name="conversations"),
    path(
        "api/conversations/<uuid:conversation_id>",
        views.ConversationDetail.as_view(),
        name="conversation",
    ),
    path("api/runs/<uuid:run_id>", views.RunDetail.as_view(), name="run"),
    path("api/runs/<uuid:run_id>/events", views.RunEvents.as_view(), name="run-events"),
]
