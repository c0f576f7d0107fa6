from decimal import Decimal
from pathlib import Path
from uuid import UUID

from sandbox.assets import Catalogue


class TestCatalogue:
    def test_finds_an_asset_by_symbol_in_any_case_and_by_id(self):
        catalogue = Catalogue()
        apple = catalogue.get("AAPL")

        assert apple is not None
        assert (apple.name, apple.exchange, apple.sector) == ("Apple Inc.", "NASDAQ", "Technology")
        assert catalogue.get("aapl") is apple
        assert catalogue.get(apple.id) is apple
        assert catalogue.get(apple.id.upper()) is apple

    def test_does_not_find_what_does_not_exist(self):
        assert Catalogue().get("NOSUCH") is None

    def test_gives_the_same_id_in_every_sandbox(self):
        first, second = Catalogue().get("BRK.B"), Catalogue().get("BRK.B")

        assert first is not None
        assert second is not None
        assert first.id == second.id == str(UUID(first.id))

    def test_holds_the_well_known_names_and_funds(self):
        symbols = {asset.symbol for asset in Catalogue().all()}

        assert symbols >= {"AAPL", "MSFT", "NVDA", "BRK.B", "SPY", "QQQ", "VTI", "BND"}
        assert len(symbols) >= 200

    def test_lists_sorted_by_symbol_with_ids_that_are_all_different(self):
        assets = Catalogue().all()

        assert [a.symbol for a in assets] == sorted(a.symbol for a in assets)
        assert len({a.id for a in assets}) == len(assets)

    def test_knows_what_cannot_be_bought_in_parts_or_at_all(self):
        catalogue = Catalogue()
        whole, gone, test = (catalogue.get(s) for s in ("BRK.A", "TWTR", "FAKEPACA"))

        assert whole is not None
        assert (whole.tradable, whole.fractionable) == (True, False)
        assert gone is not None
        assert (gone.status, gone.tradable) == ("inactive", False)
        assert test is not None
        assert (test.status, test.tradable) == ("active", False)

    def test_takes_further_symbols_from_a_directory(self, tmp_path: Path):
        (tmp_path / "symbols.csv").write_text("symbol,name,price\nZZT,Test Company,12.50\n")
        (tmp_path / "OWN.csv").write_text(
            "Date,Open,High,Low,Close,Volume\n2026-01-05,9,11,8,10.25,100\n"
        )

        catalogue = Catalogue(tmp_path)

        listed, recorded = catalogue.get("ZZT"), catalogue.get("OWN")
        assert listed is not None
        assert (listed.name, listed.base_price) == ("Test Company", Decimal("12.50"))
        assert recorded is not None
        assert recorded.base_price == Decimal("10.25")
