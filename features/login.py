"""As whom a server is asked: what settings of several of them hold."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator


class Login(BaseModel):
    """A name and its password, given or in a file."""

    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(
        default=None, description="A mounted secret, instead of `password`"
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give either password or password_file")
        return self

    def secret(self) -> str | None:
        """The password in clear; the file is read anew each time."""
        if self.password_file is not None:
            return self.password_file.read_text().strip()
        return self.password.get_secret_value() if self.password else None
