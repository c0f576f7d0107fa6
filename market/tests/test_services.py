from datetime import timedelta

import pytest

from core import realtime
from market import frames, selectors, services
from market.models import Instrument, WantedSymbol
from market.tests.factories import AT, asset

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_prices")]


def version():
    return int(realtime.connection().get(frames.WANTED_KEY) or 0)


class TestWantSymbols:
    def test_what_several_want_is_followed_for_an_hour(self):
        services.want_symbols(reason="one", symbols=["AAPL", "MSFT"], at=AT)
        services.want_symbols(reason="two", symbols=["AAPL", "TSLA"], at=AT)

        assert selectors.list_wanted(at=AT) == {"AAPL", "MSFT", "TSLA"}
        assert selectors.list_wanted(at=AT + timedelta(minutes=59)) == {"AAPL", "MSFT", "TSLA"}
        assert selectors.list_wanted(at=AT + timedelta(hours=1)) == set()

    def test_saying_it_again_replaces_what_the_same_one_wanted(self):
        services.want_symbols(reason="one", symbols=["AAPL", "MSFT"], at=AT)

        services.want_symbols(reason="one", symbols=["MSFT"], at=AT)

        assert selectors.list_wanted(at=AT) == {"MSFT"}

    def test_the_leader_is_told_only_of_changes(self, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            services.want_symbols(reason="one", symbols=["AAPL"], at=AT)
        assert version() == 1

        with django_capture_on_commit_callbacks(execute=True):
            services.want_symbols(reason="one", symbols=["AAPL"], at=AT + timedelta(minutes=29))
        assert version() == 1
        assert WantedSymbol.objects.get().until == AT + timedelta(hours=1)

        with django_capture_on_commit_callbacks(execute=True):
            services.want_symbols(reason="one", symbols=["AAPL"], at=AT + timedelta(minutes=31))
        assert version() == 2
        assert WantedSymbol.objects.get().until == AT + timedelta(minutes=91)


class TestRefreshInstruments:
    def test_takes_over_the_brokers_list_and_forgets_old_wishes(self, vendors):
        services.want_symbols(reason="one", symbols=["AAPL"], at=AT - timedelta(hours=2))
        vendors.broker.assets["BRK.B"] = asset("BRK.B", fractionable=False)

        assert services.refresh_instruments(at=AT) == 4
        assert services.refresh_instruments(at=AT) == 0

        assert {row.symbol for row in Instrument.objects.all()} == {"AAPL", "BRK.B", "MSFT", "SPY"}
        assert Instrument.objects.get(symbol="BRK.B").fractionable is False
        assert WantedSymbol.objects.count() == 0
