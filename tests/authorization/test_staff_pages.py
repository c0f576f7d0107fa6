"""No customer, no key and no member of staff without a role reaches a page of the admin."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from core.auth import SYSTEM, acting_as
from tests.authorization import registry, table
from tests.authorization.kinds import SHOWN_OUT, Who
from tests.authorization.world import contents

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
PAGES = table.STAFF_PAGES
# Without a role there is nothing: no page, no row, no action. 404 is the admin's word for a link
# that leads nowhere, 405 its word for a method that a page has not.
REFUSED = (*SHOWN_OUT, 404, 405)
VALUES = {"app_label": "trading", "content_type_id": "1", "url": "nowhere/", "id": "1"}


def paths(pattern: str, model: Any) -> str:
    """Fill a pattern of the admin, with a row that exists where it asks for one."""
    pattern = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern).replace("^", "").replace("$", "")

    def value(found: re.Match[str]) -> str:
        return VALUES.get(found[1]) or _some_pk(model)

    return re.sub(r"<(?:\w+:)?(\w+)>", value, f"/{pattern}")


def _some_pk(model: Any) -> str:
    with acting_as(SYSTEM):
        row = model and model.objects.order_by("pk").first()
    return str(row.pk) if row else "1"


def model_of(pattern: str) -> Any:
    for model in registry.admin_models():
        options = model._meta
        if pattern.startswith(f"{PAGES.prefix}{options.app_label}/{options.model_name}/"):
            return model
    return None


def everything():
    for endpoint in registry.staff_endpoints():
        yield endpoint.path, paths(endpoint.path, model_of(endpoint.path))


def actions_of(model: Any) -> list[str]:
    actions: Any = admin.site._registry[model].actions or ()
    return [getattr(action, "__name__", action) for action in actions]


class TestEveryPage:
    def test_is_closed_to_whoever_is_no_staff(self, world):
        credentials = {w: world.credential(w, "trading:read") for w in Who if w is not Who.STAFF}
        before = contents()
        wrong = {
            (who, method, path): answer.status_code
            for pattern, path in everything()
            if pattern not in PAGES.doors
            for who, headers in credentials.items()
            for method in ("GET", "POST")
            if (answer := Client().generic(method, path, headers=headers)).status_code
            not in SHOWN_OUT
        }

        assert wrong == {}
        assert contents() == before

    def test_is_closed_to_staff_without_a_role(self, world):
        staff, marks = world.staff, world.ada.marks | world.bob.marks
        before, wrong = contents(), {}
        for pattern, path in everything():
            allowed = (200, *REFUSED) if pattern in PAGES.open_to_staff else REFUSED
            for method in ("GET", "POST"):
                if pattern in PAGES.doors or (pattern.endswith("password_change/"), method) == (
                    True, "POST",
                ):  # fmt: skip
                    continue
                answer = staff.generic(method, path)
                shown = {mark for mark in marks if mark in answer.content.decode()}
                if answer.status_code not in allowed or shown:
                    wrong[method, path] = (answer.status_code, shown)

        assert wrong == {}
        assert contents() == before

    def test_does_no_action_for_staff_without_a_role(self, world):
        staff, before = world.staff, contents()
        for model in registry.admin_models():
            options = model._meta
            path = f"/{PAGES.prefix}{options.app_label}/{options.model_name}/"
            for action in {"delete_selected", *actions_of(model)}:
                body = {"action": action, "_selected_action": [_some_pk(model)], "post": "yes"}
                assert staff.post(path, body).status_code in SHOWN_OUT, (path, action)

        assert contents() == before

    def test_search_finds_nothing_for_staff_without_a_role(self, world):
        answer = world.staff.get("/admin/search/", {"s": world.ada.rows.user[:20]})

        assert {m for m in world.ada.marks if m in answer.content.decode()} == set()


class TestTheDoors:
    def test_let_in_whoever_comes_to_sign_in_and_tell_nothing(self, world):
        for path in sorted(PAGES.doors):
            answer = Client().get(f"/{path}", headers=world.credential(Who.OTHER, None))
            assert answer.status_code in (200, 302, 405), path
            assert {m for m in world.ada.marks if m in answer.content.decode()} == set()

    def test_a_customers_token_does_not_sign_in(self, world):
        client = Client(headers=world.credential(Who.OWNER, None))
        client.post("/admin/login/", {"username": world.ada.rows.user, "password": "x"})

        assert client.get("/admin/").status_code == 302
