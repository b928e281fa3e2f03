"""The ways a venue refuses: Drift's own error codes by name."""

from __future__ import annotations

from enum import IntEnum


class VenueCode(IntEnum):
    """Custom error codes of the Drift program that its order, margin and settlement rules raise.

    6048, a size off the step, cannot come out of placing: a size below one step ends as 6059, and the program rounds
    any other down to the step before it looks at it.
    """

    INSUFFICIENT_COLLATERAL = 6003
    MAX_NUMBER_OF_POSITIONS = 6005
    USER_HAS_NO_POSITION_IN_MARKET = 6010
    EXCHANGE_PAUSED = 6024
    ORACLE_NOT_FOUND = 6036
    INVALID_ORDER_IOC = 6050
    INVALID_ORDER_POST_ONLY = 6051
    INVALID_ORDER_TRIGGER = 6053
    INVALID_ORDER_MIN_SIZE = 6056
    PLACE_POST_ONLY_LIMIT_FAILURE = 6057
    ORDER_AMOUNT_TOO_SMALL = 6059
    MAX_NUMBER_OF_ORDERS = 6060
    ORDER_DOES_NOT_EXIST = 6061
    ORDER_NOT_OPEN = 6062
    USER_ORDER_ID_ALREADY_IN_USE = 6071
    PERP_MARKET_NOT_FOUND = 6078
    INSUFFICIENT_COLLATERAL_FOR_SETTLING_PNL = 6095
    USER_IS_BEING_LIQUIDATED = 6117
    USER_BANKRUPT = 6125
    MARKET_PLACE_ORDER_PAUSED = 6147
    INVALID_MARKET_STATUS_TO_SETTLE_PNL = 6158
    INVALID_ORDER_LIMIT_PRICE = 6191
    MARKET_BEING_INITIALIZED = 6213
    INVALID_ORACLE_FOR_SETTLE_PNL = 6225
    NO_UNSETTLED_PNL = 6259
    PNL_POOL_CANT_SETTLE_USER = 6260


class VenueError(Exception):
    """The venue refused; whatever was asked for in the same transaction has not happened."""

    def __init__(self, code: VenueCode, detail: str = "") -> None:
        super().__init__(f"{code.name} ({code.value}) {detail}".rstrip())
        self.code = code
        self.detail = detail
