"""What staff see of conversations."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.tests.factories import Customer
from chat import services
from chat.services import NewQuestion

SECRET_WORDS = "my mother's maiden name is Canary"


@pytest.fixture
def staff(customer: Customer) -> Client:
    services.ask(principal=customer.principal, question=NewQuestion(text=SECRET_WORDS))
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.mark.parametrize("page", ["run", "conversation"])
def test_lists_show_whose_they_are_and_not_what_was_said(
    staff: Client, customer: Customer, page: str
) -> None:
    answer = staff.get(f"/admin/chat/{page}/", {"q": str(customer.principal.user_id)})

    assert answer.status_code == 200
    assert str(customer.principal.user_id) in answer.content.decode()
    assert "Canary" not in answer.content.decode()


def test_nothing_can_be_written_by_hand(staff: Client) -> None:
    assert staff.get("/admin/chat/run/add/").status_code == 403
