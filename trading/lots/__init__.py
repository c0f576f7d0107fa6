"""What an account holds, lot by lot, as it follows from what has happened: no database here."""

from trading.lots.book import Book, fold
from trading.lots.happenings import Fill, Happening, Movement, in_order
from trading.lots.records import Closing, Lot

__all__ = ["Book", "Closing", "Fill", "Happening", "Lot", "Movement", "fold", "in_order"]
