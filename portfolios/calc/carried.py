"""What a leg of a group takes out of its holding, or brings into it, unrounded.

A leg has this with it, so that a holding can be replayed from its own rows alone. It follows from
the replay of the whole chain (docs/decisions/0011). Names that end in `_c` are in the
instrument's currency, in `_p` in the portfolio's.
"""

from datetime import date
from decimal import Decimal

import msgspec
from msgspec import Struct

from financeproj.core.money import ONE, ZERO


class CarriedLot(Struct, frozen=True, array_like=True):
    """Shares of one purchase, in the shares of the holding that they come into."""

    bought_on: date
    quantity: Decimal
    cost_c: Decimal
    cost_p: Decimal


class Brought(Struct, frozen=True, tag="in"):
    """What comes in: the cost at average, and the lots with their own."""

    cost_c: Decimal = ZERO
    cost_p: Decimal = ZERO
    lots: list[CarriedLot] = []


class Taken(Struct, frozen=True, tag="out", omit_defaults=True):
    """How a leg takes out.

    `share` is the part of the cost that moves in a spin-off, which takes no shares. `cash_p` is
    what was received (above 0) or paid, and `cash_share` the part of the moved cost that the
    received cash answers for. `takes_all`: whatever is held then goes.
    """

    share: Decimal = ONE
    cash_p: Decimal = ZERO
    cash_share: Decimal = ZERO
    takes_all: bool = False


Carried = Brought | Taken

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Carried)


def encode_carried(carried: Carried) -> str:
    return _encoder.encode(carried).decode()


def decode_carried(text: str) -> Carried:
    return _decoder.decode(text)
