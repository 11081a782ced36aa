"""Names both ways: a name without quotes means its upper case."""

from __future__ import annotations

from sqlglot import exp

from ksqlkit.dialect.names import needs_quotes


def identifier(name: str) -> exp.Identifier:
    """A name as an identifier, quoted where ksqlDB needs the quotes."""
    return exp.Identifier(this=name, quoted=needs_quotes(name))


def name_of(found: exp.Expr | str) -> str:
    """The name that an identifier means."""
    if isinstance(found, str):
        return found.upper()
    return found.name if found.args.get("quoted") else found.name.upper()
