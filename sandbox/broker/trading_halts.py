"""What a test may do to an instrument: forbid it, forbid its fractions, halt its trading."""

from typing import Any

from sandbox.answers import Refusal
from sandbox.broker.core import Broker

_BAD = 40010000
# The name on the wire, and the field of the asset.
_FLAGS = {"tradable": "tradable", "fractionable": "fractionable", "halted": "is_halted"}


def change(broker: Broker, body: Any) -> dict[str, dict[str, bool]]:
    """
    Change assets by symbol: `{"AAPL": {"tradable", "fractionable", "halted"}}`, any of these.

    :raises Refusal: a symbol or a flag is not known; then nothing has changed.
    """
    wanted = _read(broker, body)
    catalogue = broker.world.catalogue
    for symbol, flags in wanted.items():
        catalogue.change(symbol, **flags)
    return {symbol: _shown(broker, symbol) for symbol in wanted}


def _read(broker: Broker, body: Any) -> dict[str, dict[str, bool]]:
    if not isinstance(body, dict):
        raise Refusal(400, _BAD, "request body format is invalid")
    wanted: dict[str, dict[str, bool]] = {}
    for name, flags in body.items():
        asset = broker.world.catalogue.get(name)
        if asset is None:
            raise Refusal(404, 40410000, f"asset not found for {name}")
        if not isinstance(flags, dict) or not flags or flags.keys() - _FLAGS.keys():
            raise Refusal(400, _BAD, f"{name} must have some of {', '.join(_FLAGS)}")
        if not all(isinstance(value, bool) for value in flags.values()):
            raise Refusal(400, _BAD, f"the flags of {name} must be true or false")
        wanted[asset.symbol] = {_FLAGS[flag]: value for flag, value in flags.items()}
    return wanted


def _shown(broker: Broker, symbol: str) -> dict[str, bool]:
    asset = broker.world.catalogue.get(symbol)
    return {flag: getattr(asset, field) for flag, field in _FLAGS.items()}
