"""Where features live: wrong settings fail at once."""

from pathlib import Path

import pytest
from feast.infra.online_stores.redis import RedisOnlineStore
from pydantic import SecretStr, ValidationError

from features.store.settings import RedisSettings, StoreSettings


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        StoreSettings.model_validate({"knd": "redis"})
    with pytest.raises(ValidationError, match="extra_forbidden"):
        StoreSettings.model_validate({"redis": {"hots": "redis"}})


def test_feast_reads_back_every_redis_option_that_we_write() -> None:
    settings = RedisSettings(
        host="redis.shop",
        port=6380,
        db=2,
        username="vitrine",
        password=SecretStr("0123=45"),
        tls=True,
        tls_ca_file=Path("/certs/ca.pem"),
    )
    nodes, options = RedisOnlineStore._parse_connection_string(settings.connection_string())
    assert nodes == [{"host": "redis.shop", "port": "6380"}]
    wanted = settings.client_options()
    assert (wanted.pop("host"), wanted.pop("port")) == ("redis.shop", 6380)
    assert options == wanted
    assert options["password"] == "0123=45"
    assert options["ssl"] is True


def test_a_numeric_password_stays_text() -> None:
    settings = RedisSettings(password=SecretStr("12345"))
    _, options = RedisOnlineStore._parse_connection_string(settings.connection_string())
    assert options["password"] == "12345"


def test_a_password_comes_from_a_mounted_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings = RedisSettings(password_file=tmp_path / "password")
    assert settings.client_options()["password"] == "secret"


def test_what_feast_could_not_carry_or_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="comma"):
        RedisSettings(password=SecretStr("a,b")).connection_string()
    with pytest.raises(ValidationError, match="tls is off"):
        RedisSettings(tls_ca_file=Path("/certs/ca.pem"))
    with pytest.raises(ValidationError, match="either"):
        RedisSettings(password=SecretStr("a"), password_file=Path("b"))


def test_a_password_is_not_printed() -> None:
    assert "hunter2" not in repr(StoreSettings(redis=RedisSettings(password=SecretStr("hunter2"))))
