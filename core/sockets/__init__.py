"""
What every socket needs: a gate that asks who comes, and a hub that serves those who were let in.

An app says whom it admits (`gate.Visit.admit`), what a seat of its kind knows (`seats.Seat`) and
what is said to it (`hub.Hub`).
"""
