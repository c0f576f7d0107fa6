"""The HTTP side of trading, by noun."""
