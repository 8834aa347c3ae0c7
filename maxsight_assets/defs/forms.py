"""Launchpad forms made of the configuration models: the same fields and descriptions, each of them optional.

A field that the user leaves out keeps its stored value, so every field of a form may be null. The model validates the
values.
"""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, Field, create_model


def stated_of(model: type[BaseModel]) -> Any:
    """Return the Launchpad form of a configuration model."""
    fields: dict[str, Any] = {
        name: (_form(field.annotation) | None, Field(default=None, description=field.description))
        for name, field in model.model_fields.items()
    }
    return create_model(f"{model.__name__}Stated", __base__=dg.Config, __doc__=model.__doc__, **fields)


def stated(config: dg.Config) -> dict[str, Any]:
    """Return the values that the user filled in, by field."""
    return {name: value for name, value in config.model_dump().items() if value is not None}


def _form(annotation: Any) -> Any:
    """Return the nearest type that Dagster's run config knows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _form(arguments[0])
    if origin in {Union, types.UnionType}:
        kinds = [kind for kind in arguments if kind is not types.NoneType]
        return float if float in kinds else _form(kinds[0])
    if origin is Literal:
        return str
    if origin is tuple:
        return list[_form(arguments[0])]  # type: ignore[misc]
    if origin is Mapping:
        return dict[str, int | None]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return stated_of(annotation)
    return annotation
