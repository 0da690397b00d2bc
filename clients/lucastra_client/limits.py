"""Refuse what is out of the contract's range before it is sent, in words for the caller."""

from functools import cache

import msgspec
from lucastra_protocol.errors import ErrorCode, LucAstraError
from msgspec.inspect import Field, IntType, LiteralType, Metadata, NoneType, StrType, StructType, UnionType, type_info


def check_ranges(params: msgspec.Struct) -> None:
    """Raise LucAstraError (INVALID_PARAMS) for the first value that is out of the range its type declares."""
    for field in _fields(type(params)):
        if (wrong := _out_of_range(getattr(params, field.name), field)) is not None:
            raise LucAstraError(f"{field.name} {wrong}", code=ErrorCode.INVALID_PARAMS)


@cache
def _fields(params: type[msgspec.Struct]) -> tuple[Field, ...]:
    described = type_info(params)
    return described.fields if isinstance(described, StructType) else ()


def _out_of_range(value: object, field: Field) -> str | None:
    kind = field.type.type if isinstance(field.type, Metadata) else field.type
    if value is None:
        return None
    if isinstance(kind, UnionType):  # with null
        kind = next(one for one in kind.types if not isinstance(one, NoneType))
    match kind, value:
        case IntType(ge=int(low)), int(number) if number < low:
            return f"must be at least {low}"
        case IntType(le=int(high)), int(number) if number > high:
            return f"must be at most {high}"
        case StrType(min_length=int(low)), str(text) if len(text) < low:
            return "must not be empty" if low == 1 else f"must have at least {low} characters"
        case StrType(max_length=int(high)), str(text) if len(text) > high:
            return f"must have at most {high:,} characters, and has {len(text):,}"
        case LiteralType(values=values), _ if value not in values:
            return f"must be one of {', '.join(map(str, values))}"
    return None
