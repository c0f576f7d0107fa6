"""Alpaca's account activities and balances."""
