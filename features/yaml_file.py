"""What the shop's people write: YAML files, read whole, with one line for each problem."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)


def read_yaml(path: Path, model: type[_Model], error_type: type[Exception]) -> _Model:
    """Read and check the file; raises `error_type`, whose message names file and place."""
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise error_type(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise error_type(f"{path}: not UTF-8") from error
    except yaml.YAMLError as error:
        raise error_type(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        raise error_type(f"{path}: {problems(error)}") from error


def problems(error: ValidationError) -> str:
    """One line, each problem with its place."""
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
        for problem in error.errors()
    )
