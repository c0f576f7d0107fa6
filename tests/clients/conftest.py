"""The servers of the live tests, and what a client needs to reach them."""

import pytest

from tests.clients import factories
from tests.live.conftest import (  # noqa: F401 - fixtures
    account,
    no_prices,
    port,
    publisher,
    restartable_redis,
    silence_is_no_matter,
    token,
    vendors,
)


@pytest.fixture
def token_file(tmp_path, token):  # noqa: F811
    path = tmp_path / "token"
    path.write_text(token)
    return path


@pytest.fixture
def url(port):  # noqa: F811
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def network(port):  # noqa: F811
    with factories.relay(port) as network:
        yield network


@pytest.fixture(params=factories.LANGUAGES)
def language(request):
    return request.param
