"""How a resolver gets its arguments: said once, as a mapping of name to type."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any

from strawberry import UNSET
from strawberry.types import Info


def accept(
    resolve: Any, returned: Any, arguments: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> None:
    """Give a resolver of (root, info, **arguments) GraphQL arguments, Python name → type.

    Args:
        resolve: the resolver.
        returned: the type of its field.
        arguments: all may be left out.
        defaults: what one that was left out is; UNSET for the rest.
    """
    parameters = [Parameter("root", Parameter.POSITIONAL_OR_KEYWORD)]
    parameters.append(Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=Info))
    for name, type_ in arguments.items():
        default = (defaults or {}).get(name, UNSET)
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=type_))
    # Strawberry reads the arguments from the signature and their types from the annotations.
    resolve.__signature__ = signature(resolve).replace(parameters=parameters, return_annotation=returned)
    resolve.__annotations__ = {"info": Info, **arguments, "return": returned}
