"""The JSON of trading, by noun."""
