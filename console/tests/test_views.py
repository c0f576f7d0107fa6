"""The page needs nothing from elsewhere, and local tokens stay local."""

import re

import pytest


class TestPage:
    def test_loads_only_what_we_serve(self, client):
        page = client.get("/")

        links = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
        assert page.status_code == 200
        assert [link for link in links if not link.startswith(("/", "data:"))] == []

    def test_outside_a_local_run_it_does_not_offer_a_token(self, client, settings):
        settings.LOCAL_TOKENS = False

        assert 'data-local="true"' not in client.get("/").content.decode()


@pytest.mark.django_db
class TestLocalToken:
    def test_is_not_there_outside_a_local_run(self, client, settings):
        settings.LOCAL_TOKENS = False

        assert client.post("/local/token").status_code == 404

    def test_says_what_to_do_when_the_sandbox_is_away(self, client, settings):
        settings.SANDBOX_URL = "http://127.0.0.1:9"
        answer = client.post("/local/token")

        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert "make run" in answer.json()["detail"]
