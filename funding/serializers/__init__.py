"""The JSON of funding, by what it is about: banks, Plaid, transfers."""
