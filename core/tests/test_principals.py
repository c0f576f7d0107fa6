"""Who may act for whom."""

import pytest

from core.auth import SYSTEM, Kind, Principal, UserMismatch
from core.auth.principals import ROUTE_SCOPES
from core.auth.sockets import token_in
from core.errors import Forbidden

CUSTOMER = Principal(kind=Kind.CUSTOMER, user_id="ada")
SERVICE = Principal(kind=Kind.SERVICE, key_id="k1", scopes=frozenset({"act_for", "trading:read"}))
NARROW = Principal(kind=Kind.SERVICE, key_id="k2", scopes=frozenset({"trading:read"}))
STAFF = Principal(kind=Kind.STAFF, scopes=frozenset())


class TestCan:
    def test_a_customer_may_use_every_route_and_never_act_for_others(self):
        assert all(CUSTOMER.can(scope) for scope in ROUTE_SCOPES)
        assert not CUSTOMER.can("act_for")
        assert not CUSTOMER.can("everything")

    def test_others_may_do_what_they_were_given(self):
        assert SERVICE.can("trading:read")
        assert not SERVICE.can("trading:write")
        assert not STAFF.can("trading:read")
        assert SYSTEM.can("trading:write")


class TestActingFor:
    def test_a_customer_names_nobody_but_themself(self):
        assert CUSTOMER.acting_for("ada") is CUSTOMER
        for other in ("bob", "", "ADA", "ada "):
            with pytest.raises(UserMismatch) as refused:
                CUSTOMER.acting_for(other)
            assert (refused.value.status, refused.value.code) == (403, "user_mismatch")

    def test_a_service_becomes_the_customer_within_its_scopes(self):
        acting = SERVICE.acting_for("bob")

        assert (acting.user_id, acting.acted_by, acting.scopes) == ("bob", "k1", SERVICE.scopes)
        assert acting.kind is Kind.SERVICE
        assert acting.name == "service:k1"
        assert SERVICE.user_id is None

    @pytest.mark.parametrize("principal", [NARROW, STAFF])
    def test_nobody_else_acts_for_a_customer(self, principal):
        with pytest.raises(Forbidden):
            principal.acting_for("bob")

    @pytest.mark.parametrize("user_id", ["", " ", "a\nb", "x" * 256, " a", "a\u200b", None, 1])
    def test_a_user_id_must_be_readable(self, user_id):
        with pytest.raises(UserMismatch):
            SERVICE.acting_for(user_id)


class TestTokenIn:
    def test_takes_the_token_beside_our_protocol(self):
        assert token_in(["clera.v1", "bearer.a.b.c"]) == "a.b.c"
        assert token_in(["bearer.x", "clera.v1"]) == "x"

    @pytest.mark.parametrize(
        "offered",
        [[], ["clera.v1"], ["bearer.x"], ["clera.v1", "bearer."], ["clera.v2", "bearer.x"],
         ["clera.v1", "bearer.x", "bearer.y"]],
    )  # fmt: skip
    def test_takes_nothing_else(self, offered):
        assert token_in(offered) is None
