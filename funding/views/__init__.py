"""The HTTP side of funding, by what it is about: banks, Plaid, transfers."""
