"""From an entry of the manifest to the class that ksqlDB loads: one method per overload, each of which hands its
arguments to the runtime."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ksqlkit.bridge.classfile import PUBLIC, VARARGS, Annotation, ClassFile, Method
from ksqlkit.bridge.javatypes import annotated, descriptor, java_class, loader_form, signature
from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T

PACKAGE: Final = "io/ksqlkit/bridge/functions"
AUTHOR: Final = "ksqlkit"
RUNTIME: Final = "io/ksqlkit/bridge/RemoteFunction"
_UDF: Final = "io/confluent/ksql/function/udf/"
_OBJECT: Final = "java/lang/Object"
_CALL: Final = f"(I[L{_OBJECT};)L{_OBJECT};"
_LONGEST: Final = 2_000  # characters of a description

_ALOAD_0, _ALOAD, _DUP, _AASTORE, _ARETURN, _RETURN = 0x2A, 0x19, 0x59, 0x53, 0xB0, 0xB1
_SIPUSH, _LDC_W, _ANEWARRAY, _CHECKCAST, _VIRTUAL, _SPECIAL = 0x11, 0x13, 0xBD, 0xC0, 0xB6, 0xB7

_ANY_ARGUMENTS: Final = (
    (("ARGUMENTS", "DOUBLE"), True),
    (("ARGUMENTS", "VARCHAR"), True),
    (("ARGUMENTS", "MAP<VARCHAR, DOUBLE>"), False),
    (("ARGUMENTS", "STRUCT< >"), False),
)
_ANY_RESULTS: Final = {
    "AI": "VARCHAR",
    "AI_BIGINT": "BIGINT",
    "AI_BOOLEAN": "BOOLEAN",
    "AI_DOUBLE": "DOUBLE",
    "AI_MAP": "MAP<VARCHAR, DOUBLE>",
}


def generic_entries() -> list[dict[str, Any]]:
    """The AI family: calls a function by its name, for those newer than the jar."""
    return [
        {
            "name": name,
            "description": f"Calls the scoring server's function of that name, which must answer {returns}.",
            "overloads": [
                {
                    "args": [{"name": "NAME", "type": "VARCHAR"}, {"name": argument[0], "type": argument[1]}],
                    "variadic": variadic,
                    "returns": returns,
                }
                for argument, variadic in _ANY_ARGUMENTS
            ],
            "deterministic": False,
            "version": 1,
            "nulls": "call",
            "generic": True,
        }
        for name, returns in _ANY_RESULTS.items()
    ]


def function_class(entry: Mapping[str, Any]) -> tuple[str, bytes]:
    """Path in the jar and bytes of a function's class. Raises ValueError for what ksqlDB would not load."""
    name = entry["name"]
    _refuse_alike(entry["overloads"])
    made = ClassFile(
        f"{PACKAGE}/{name}",
        RUNTIME,
        Annotation(
            f"{_UDF}UdfDescription",
            {
                "name": name,
                "description": _short(entry.get("description", "")) or name,
                "category": "AI",
                "author": AUTHOR,
                "version": str(entry.get("version", 1)),
            },
        ),
    )
    made.methods.append(_constructor(made, name))
    for index, overload in enumerate(entry["overloads"]):
        made.methods.append(_overload(made, index, overload, _short(entry.get("description", ""))))
    return f"{made.name}.class", made.dump()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _refuse_alike(overloads: Sequence[Mapping[str, Any]]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for index, overload in enumerate(overloads):
        forms = [loader_form(parse_type(a["type"])) for a in overload["args"]]
        if overload.get("variadic"):
            forms[-1] = f"ARRAY<{forms[-1]}>"  # which is how the loader sees it
        first = seen.setdefault(tuple(forms), index)
        if first != index:
            raise ValueError(
                f"overloads {first + 1} and {index + 1} are alike to ksqlDB: both take ({', '.join(forms)})"
            )


def _constructor(made: ClassFile, name: str) -> Method:
    pool = made.constants
    parent = pool.method(RUNTIME, "<init>", "(Ljava/lang/String;)V")
    code = struct.pack(">BBHBHB", _ALOAD_0, _LDC_W, pool.string(name), _SPECIAL, parent, _RETURN)
    return Method("<init>", "()V", PUBLIC, code, stack=2, locals=1)


def _overload(made: ClassFile, index: int, overload: Mapping[str, Any], description: str) -> Method:
    types = [parse_type(a["type"]) for a in overload["args"]]
    returns = parse_type(overload["returns"])
    variadic = bool(overload.get("variadic"))
    count = len(types)
    if count > 255 - 1:
        raise ValueError(f"{count} arguments are more than Java takes")
    pool = made.constants
    object_class = pool.class_(_OBJECT)
    code = struct.pack(">BBhBhBH", _ALOAD_0, _SIPUSH, index, _SIPUSH, count, _ANEWARRAY, object_class)
    for slot in range(count):
        code += struct.pack(">BBhBBB", _DUP, _SIPUSH, slot, _ALOAD, slot + 1, _AASTORE)
    call, result = pool.method(made.name, "call", _CALL), pool.class_(java_class(returns))
    code += struct.pack(">BHBHB", _VIRTUAL, call, _CHECKCAST, result, _ARETURN)
    erased, generic = [descriptor(t) for t in types], [signature(t) for t in types]
    if variadic:
        if isinstance(types[-1], T.Array | T.Map):
            raise ValueError("ksqlDB takes no variadic ARRAY or MAP")
        erased[-1], generic[-1] = f"[{erased[-1]}", f"[{generic[-1]}"
    flat = f"({''.join(erased)}){descriptor(returns)}"
    full = f"({''.join(generic)}){signature(returns)}"
    udf = {"description": description}
    if annotated(returns, returned=True):
        udf["schema"] = str(returns)
    parameters = []
    for position, (argument, type_) in enumerate(zip(overload["args"], types, strict=True)):
        values = {"value": argument["name"]}
        if annotated(type_, returned=False):
            last = variadic and position == count - 1
            values["schema"] = f"ARRAY<{type_}>" if last else str(type_)
        parameters.append(Annotation(f"{_UDF}UdfParameter", values))
    return Method(
        f"overload{index}",
        flat,
        PUBLIC | (VARARGS if variadic else 0),
        code,
        stack=6,
        locals=count + 1,
        signature=full if full != flat else None,
        annotation=Annotation(f"{_UDF}Udf", udf),
        parameters=parameters,
    )
