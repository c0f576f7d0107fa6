"""Days of a market with hours, on which a test can be at any time."""

from datetime import datetime, time, timedelta
from typing import Any

from sandbox.sessions import NEW_YORK, Session
from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk


class Day:
    """A trading day of usual hours that is followed by another, and an account for it."""

    def __init__(self, server: Server) -> None:
        server.control("reset")
        self.desk = Desk(server)
        self.account_id = self.desk.funded_account("10000")
        self.world = server.world
        sessions = self.world.prices.sessions
        session = sessions.after(self._now().date() + timedelta(days=1))
        while session.close.time() != time(16) or not self._goes_on(session):
            session = sessions.after(session.date)
        self.session = session

    def _goes_on(self, session: Session) -> bool:
        return self.world.prices.sessions.on(session.date + timedelta(days=1)) is not None

    def _now(self) -> datetime:
        return self.world.clock.now().astimezone(NEW_YORK)

    def go_to(self, clock: str, *, days: int = 0) -> None:
        day = self.session.date + timedelta(days=days)
        moment = datetime.combine(day, time.fromisoformat(clock), NEW_YORK)
        self.desk.advance((moment - self._now()).total_seconds())
        self.desk.set_price("AAPL", "200.00")

    def order(self, **wanted: Any) -> dict[str, Any]:
        return self.desk.order(self.account_id, **({"qty": "1"} | wanted))

    def show(self, order: dict[str, Any]) -> dict[str, Any]:
        return self.desk.show_order(self.account_id, order["id"])

    def status(self, order: dict[str, Any]) -> str:
        return str(self.show(order)["status"])

    def filled_at(self, order: dict[str, Any]) -> datetime:
        shown = self.show(order)
        assert shown["status"] == "filled"
        return datetime.fromisoformat(shown["filled_at"]).astimezone(NEW_YORK)
