"""What each role may do, on every page of the admin, and who hands roles out."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from core.auth import roles, staff_members
from core.auth.principals import Principal
from core.auth.roles import GRANTS, Role
from core.auth.staff_members import Standing
from core.errors import Invalid, NotFound, RuleBroken
from core.tests.admin_rows import one_of_everything
from core.tests.staff_people import PASSWORD, actions, member, signed_in
from core.tests.test_admin import TABLES, detail_url, list_url

pytestmark = pytest.mark.django_db
OURS = [label for label in TABLES if not label.startswith("auth.")]
STAFF_TABLES = ["auth.Group", "auth.User"]
ROLES = ["", *Role, "superuser"]
NO, YES = 403, 200


def permissions_of(role):
    found = Group.objects.get(name=role).permissions.select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}" for one in found}


class TestTable:
    def test_is_in_the_database_after_migrating(self):
        assert {group.name for group in Group.objects.all()} == {*Role}

    def test_gives_each_role_what_the_one_before_has(self):
        viewer, operator, approver = (permissions_of(role) for role in Role)
        assert viewer <= operator <= approver
        assert {name.partition(".")[2].partition("_")[0] for name in viewer} == {"view"}
        known = {
            f"{app}.{name}"
            for app, name in Permission.objects.values_list("content_type__app_label", "codename")
        }
        assert operator - viewer == GRANTS[Role.OPERATOR] & known
        assert approver - operator == GRANTS[Role.APPROVER] & known
        assert "core.manage_apikey" in approver - operator

    def test_shows_every_role_every_table_but_the_staffs(self):
        wanted = {
            f"{model._meta.app_label}.view_{model._meta.model_name}"
            for model in admin.site._registry
            if model._meta.app_label != "auth"
        }
        assert wanted <= permissions_of(Role.VIEWER)
        assert not {n for n in permissions_of(Role.APPROVER) if n.startswith(("auth.", "axes."))}

    def test_is_applied_again_without_a_trace_and_takes_back_what_somebody_added(self):
        before = permissions_of(Role.VIEWER)
        group = Group.objects.get(name=Role.VIEWER)
        group.permissions.add(Permission.objects.get(codename="delete_user"))
        group.permissions.remove(*group.permissions.filter(codename="view_apikey"))

        roles.apply()
        roles.apply()

        assert permissions_of(Role.VIEWER) == before
        assert Group.objects.count() == len(Role)

    def test_comes_with_every_migrate(self):
        Group.objects.all().delete()
        call_command("migrate", verbosity=0)
        assert "core.manage_apikey" in permissions_of(Role.APPROVER)


class TestMatrix:
    """Role by page by action, each cell by a real request."""

    @pytest.fixture
    def rows(self):
        one_of_everything(1)

    @pytest.mark.parametrize("role", ROLES)
    def test_who_sees_which_page(self, role, rows):
        client = signed_in(member("mia", role))
        sees = NO if role == "" else YES
        sees_staff = YES if role == "superuser" else NO
        expected = dict.fromkeys(OURS, (sees, sees))
        expected |= dict.fromkeys(STAFF_TABLES, (sees_staff, sees_staff))

        found = {
            label: (
                client.get(list_url(label)).status_code,
                client.get(detail_url(label)).status_code,
            )
            for label in TABLES
        }

        assert found == expected

    @pytest.mark.parametrize("role", ROLES)
    def test_nobody_changes_or_deletes_a_row_by_hand(self, role, rows):
        client = signed_in(member("mia", role))
        for label in OURS:
            detail = detail_url(label)
            assert client.post(detail, {"state": "ACCEPTED"}).status_code == NO, label
            removed = client.post(detail.replace("/change/", "/delete/"), {"post": "yes"})
            assert removed.status_code == NO, label
        for label in STAFF_TABLES:
            detail = detail_url(label).replace("/change/", "/delete/")
            assert client.post(detail, {"post": "yes"}).status_code == NO, label

    @pytest.mark.parametrize("role", ROLES)
    def test_who_makes_what(self, role):
        client = signed_in(member("mia", role))
        may = {
            "core.ApiKey": role in {"approver", "superuser"},
            "auth.User": role == "superuser",
        }
        found = {label: client.get(f"{list_url(label)}add/").status_code for label in TABLES}
        assert found == {label: YES if may.get(label) else NO for label in TABLES}

    @pytest.mark.parametrize("role", ["", *Role])
    def test_only_superusers_touch_the_staff(self, role):
        mia, bob = member("mia", role), member("bob", "viewer")
        client, page = signed_in(mia), f"/admin/auth/user/{bob.pk}"
        own_page = f"/admin/auth/user/{mia.pk}/change/"
        new = {"password1": "some-other-words-now", "password2": "some-other-words-now"}
        answers = [
            client.post(f"{page}/change/", {"username": "bob", "role": "approver"}),
            client.post(own_page, {"username": "mia", "role": "superuser"}),
            client.post(f"{page}/password/", new),
            client.post(f"{page}/reset-factor/"),
            client.post(f"{page}/unlock/"),
            client.post("/admin/auth/user/add/", {"username": "eve", **new}),
        ]
        assert {answer.status_code for answer in answers} == {NO}
        bob.refresh_from_db()
        assert (staff_members.role_of(bob), bob.check_password(PASSWORD)) == (Role.VIEWER, True)
        assert User.objects.filter(is_superuser=True).count() == 0
        assert actions() == []


class TestMembers:
    @pytest.fixture
    def chief(self):
        return member("sue", "superuser")

    @pytest.fixture
    def boss(self, chief):
        return signed_in(chief)

    def change(self, boss, user, **wishes):
        body = {"username": user.username, "role": "viewer", "may_sign_in": "on"} | wishes
        return boss.post(f"/admin/auth/user/{user.pk}/change/", body)

    @pytest.mark.parametrize(
        ("before", "after", "flags"),
        [
            ("", "viewer", (True, False)),
            ("viewer", "approver", (True, False)),
            ("approver", "superuser", (True, True)),
            ("superuser", "operator", (True, False)),
            ("operator", "", (False, False)),
        ],
    )
    def test_get_one_role_on_record(self, boss, chief, before, after, flags):
        user = member("ann", before)

        assert self.change(boss, user, role=after).status_code == 302

        user = User.objects.get(pk=user.pk)
        assert Standing.of(user).name == (after or "none")
        assert (user.is_staff, user.is_superuser) == flags
        assert actions() == [("staff.role_changed", f"staff:{chief.pk}")]

    def test_end_and_return_on_record(self, boss, chief):
        user = member("ann", "viewer")
        client = signed_in(user)
        self.change(boss, user, may_sign_in="")
        assert client.get("/admin/")["Location"].startswith("/admin/login/")
        self.change(boss, user)
        assert [action for action, _ in actions()] == ["staff.deactivated", "staff.reactivated"]

    def test_keep_password_and_role_when_only_their_address_changes(self, boss):
        user = member("ann", "operator")
        assert self.change(boss, user, role="operator", email="a@example.com").status_code == 302
        user = User.objects.get(pk=user.pk)
        assert (user.email, user.is_staff) == ("a@example.com", True)
        assert user.check_password(PASSWORD)
        assert staff_members.role_of(user) is Role.OPERATOR
        assert actions() == []

    @pytest.mark.parametrize(
        "wish", [{"role": "approver"}, {"role": "superuser", "may_sign_in": ""}]
    )
    def test_superusers_do_not_lock_themselves_out(self, boss, chief, wish):
        page = self.change(boss, chief, **wish)
        assert page.status_code == 200
        assert "Another superuser has to" in page.content.decode()
        chief.refresh_from_db()
        assert (chief.is_superuser, chief.is_active) == (True, True)
        with pytest.raises(RuleBroken):
            staff_members.set_standing(chief, Standing(None), by=Principal.staff(chief.pk))

    def test_are_made_with_a_role(self, boss, chief):
        body = {
            "username": "ann", "role": "operator", "usable_password": "true",
            "password1": "some-other-words-now", "password2": "some-other-words-now",
        }  # fmt: skip
        assert boss.post("/admin/auth/user/add/", body).status_code == 302
        user = User.objects.get(username="ann")
        assert (Standing.of(user).name, user.is_staff) == ("operator", True)
        assert actions() == [
            ("staff.created", f"staff:{chief.pk}"),
            ("staff.role_changed", f"staff:{chief.pk}"),
        ]

    def test_get_another_password_on_record_and_are_signed_out(self, boss, chief):
        user = member("ann", "viewer")
        client = signed_in(user)
        body = {"password1": "some-other-words-now", "password2": "some-other-words-now"}
        refused = boss.post(f"/admin/auth/user/{user.pk}/password/", body | {"password2": "x"})
        assert (refused.status_code, actions()) == (200, [])

        boss.post(f"/admin/auth/user/{user.pk}/password/", body | {"usable_password": "true"})

        user.refresh_from_db()
        assert user.check_password("some-other-words-now")
        assert client.get("/admin/")["Location"].startswith("/admin/login/")
        assert actions() == [("staff.password_set", f"staff:{chief.pk}")]

    def test_are_found_by_role(self, boss):
        for name, role in (("ann", "approver"), ("bob", "viewer")):
            member(name, role)
        found = {
            role: {user.username for user in boss.get(url).context["cl"].queryset}
            for role, url in (
                (role, f"/admin/auth/user/?role={role}") for role in ("approver", "superuser", "x")
            )
        }
        assert found == {
            "approver": {"ann"}, "superuser": {"sue"}, "x": {"ann", "bob", "sue"},
        }  # fmt: skip

    def test_a_page_shows_what_the_role_may(self, boss):
        member("ann", "approver")
        group = Group.objects.get(name="approver")
        page = boss.get(f"/admin/auth/group/{group.pk}/change/").content.decode()
        assert "core: Can create, rotate and revoke API keys" in page
        assert "ann" in boss.get("/admin/auth/group/").content.decode()

    def test_names_are_names_and_taken_once(self):
        for name in ("two words", "", "a/b"):
            with pytest.raises(Invalid):
                staff_members.create(username=name, standing=Standing(Role.VIEWER), by="tests")
        member("ann", "viewer")
        with pytest.raises(Invalid, match="called ann already"):
            staff_members.create(username="ann", standing=Standing(Role.VIEWER), by="tests")
        with pytest.raises(NotFound):
            staff_members.find("bob")
        assert User.objects.count() == 1
