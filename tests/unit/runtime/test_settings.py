"""Settings are read strictly and never show a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.settings import Secret, Settings, read_settings

PREFIX = "GRIDKEEPER_STRATEGY_"


class _Wanted(Settings, frozen=True, kw_only=True):
    postgres_url: Secret
    market: str
    data: Path = Path("/data")
    price_age_s_max: int = 5
    token: Secret | None = None

    def __post_init__(self) -> None:
        if self.market == "none" and self.price_age_s_max:
            raise ValueError("without a market there is no price")


def _read(**variables: str) -> _Wanted:
    env = {"POSTGRES_URL": "postgresql://u:hidden@h/d", "MARKET": "SOL-PERP", **variables}
    return read_settings(_Wanted, PREFIX, {PREFIX + name: text for name, text in env.items()} | {"PATH": "/bin"})


def test_texts_become_the_fields_own_kinds() -> None:
    settings = _read(PRICE_AGE_S_MAX="7", DATA="/elsewhere")

    assert (settings.price_age_s_max, settings.data, settings.token) == (7, Path("/elsewhere"), None)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")

    assert _read(TOKEN_FILE=str(tmp_path / "token")).token == "from-a-file"


def test_a_secret_is_never_shown() -> None:
    settings = _read(TOKEN="whisper")

    for shown in (repr(settings), str(settings), str(settings.__rich_repr__())):
        assert "hidden" not in shown
        assert "whisper" not in shown
        assert "SOL-PERP" in shown


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"MARKETT": "SOL-PERP"}, "UNKNOWN_KEY", "GRIDKEEPER_STRATEGY_MARKET?"),
        ({"PRICE_AGE_S_MAX": "soon"}, "BAD_VALUE", "GRIDKEEPER_STRATEGY_PRICE_AGE_S_MAX"),
        ({"MARKET_FILE": "/x"}, "UNKNOWN_KEY", "MARKET_FILE"),
        ({"TOKEN_FILE": "/no/such/file"}, "BAD_FILE", "/no/such/file"),
        ({"TOKEN": "a", "TOKEN_FILE": "/x"}, "BAD_VALUE", "not both"),
        ({"MARKET": "none"}, "BAD_VALUE", "without a market there is no price"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], code: str, said: str) -> None:
    with pytest.raises(GridkeeperError) as raised:
        _read(**variables)

    assert raised.value.code == code
    assert said in str(raised.value)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(GridkeeperError, match=r"MISSING_KEY.*GRIDKEEPER_STRATEGY_POSTGRES_URL"):
        read_settings(_Wanted, PREFIX, {})
