"""What each kind of statement does, on a Context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect.parser import TOO_DEEP
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.results import Result
from ksqlkit.engine.statements import (
    assertions,
    control,
    create,
    create_as,
    describe,
    drop,
    insert_values,
    show,
)
from ksqlkit.errors import StatementError

_HANDLERS: Final[dict[type[N.Statement], Callable[[Context, Prepared], Result | None]]] = {
    N.CreateSource: create.create_source,
    N.CreateAsSelect: create_as.create_as_select,
    N.InsertInto: create_as.insert_into,
    N.InsertValues: insert_values.insert_values,
    N.Drop: drop.drop_source,
    N.AlterSource: drop.alter_source,
    N.CreateType: drop.create_type,
    N.DropType: drop.drop_type,
    N.ControlQuery: control.control_query,
    N.SetProperty: control.set_property,
    N.UnsetProperty: control.unset_property,
    N.AlterSystem: control.alter_system,
    N.Define: control.define,
    N.Undefine: control.undefine,
    N.Show: show.show,
    N.DescribeSource: describe.describe,
    N.DescribeAll: describe.describe_all,
    N.DescribeFunction: describe.describe_function,
    N.Explain: describe.explain,
    N.AssertTopic: assertions.assert_topic,
    N.AssertSchema: assertions.assert_schema,
    N.CreateConnector: show.no_connect,
    N.DropConnector: show.no_connect,
    N.DescribeConnector: show.no_connect,
}
_QUERIES: Final = (
    "The following statement types should be issued to the websocket endpoint '/query':"
    "\n\t* PRINT\n\t* SELECT"
)


def run(ctx: Context, prepared: Prepared) -> Result | None:
    """Run one statement. Raises StatementError with the statement's text."""
    handler = _HANDLERS.get(type(prepared.node))
    try:
        if handler is None:
            if isinstance(prepared.node, N.QueryStatement | N.Print):
                raise StatementError(_QUERIES, error_code=40002)
            raise StatementError(f"{type(prepared.node).__name__} is a statement of test files only")
        return handler(ctx, prepared)
    except StatementError as error:
        raise with_text(error, prepared.text) from None
    except RecursionError:
        raise too_deep(prepared.text) from None


def too_deep(text: str) -> StatementError:
    """The error of a statement whose expressions nest deeper than can be worked on."""
    return StatementError(TOO_DEEP, statement=text)


def with_text(error: StatementError, text: Any) -> StatementError:
    """The error with the statement's text, unless it has one."""
    if error.statement is None:
        error.statement = text
    return error
