"""ksqlkit models: the registry of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, open_config
from ksqlkit.cli.output import guarded, messages, print_json, print_table
from ksqlkit.errors import UserError

if TYPE_CHECKING:
    from udf_server.models.store import ModelStore

models = typer.Typer(help="The registry of models: list, promote, roll back, import.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The model.")]


def _store(project: Path | None) -> ModelStore:
    from udf_server.models.store import ModelStore

    return ModelStore(open_config(project).models)


@models.command("list")
@guarded
def list_models(
    name: Annotated[str | None, typer.Argument(help="Show the versions of one model.")] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List the models, or the versions of one, with what was measured.

    Example: ksqlkit models list fraud
    """
    store = _store(project)
    if name is not None and not store.versions(name):
        raise UserError(f"There is no model {name}", hint=f"Known: {', '.join(store.names()) or 'none'}.")
    pairs = [(n, v) for n in ([name] if name else store.names()) for v in store.versions(n)]
    found = [(store.metadata(n, v), store.aliases(n)) for n, v in pairs]
    if name is None:
        found = [(m, a) for m, a in found if a.get("live") == m.version]
    if json:
        listed = [
            {"model": m.name, "version": m.version, "live": a.get("live") == m.version, "kind": m.kind}
            | {"features": m.features, "metrics": m.metrics, "created_at": m.created_at}
            for m, a in found
        ]
        print_json(listed)
        return
    rows = [
        [
            m.name,
            f"{m.version}{' live' if a.get('live') == m.version else ''}",
            m.kind,
            len(m.features),
            ", ".join(f"{k} {v:.4g}" for k, v in m.metrics.items()),
            m.created_at,
        ]
        for m, a in found
    ]
    print_table(None, ["model", "version", "kind", "features", "measured", "made"], rows)


@models.command()
@guarded
def promote(
    name: NameArgument,
    version: Annotated[int, typer.Argument(help="The version that is to answer.")],
    project: ProjectOption = None,
) -> None:
    """Make a version live. Servers follow within a second; queries that run keep the version they started with.

    Example: ksqlkit models promote fraud 3
    """
    with _refused():
        _store(project).promote(name, version)
    messages.print(f"{name} version {version} is live")


@models.command()
@guarded
def rollback(name: NameArgument, project: ProjectOption = None) -> None:
    """Make the version before the live one live again.

    Example: ksqlkit models rollback fraud
    """
    with _refused():
        version = _store(project).rollback(name)
    messages.print(f"{name} version {version} is live")


@models.command("import")
@guarded
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="ONNX (.onnx), XGBoost (.ubj, .json), scikit-learn by skops (.skops), or our .npz."
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="The model's name in PREDICT.")],
    features: Annotated[
        str | None, typer.Option("--features", help="Names of its features, in order; A,B,C.")
    ] = None,
    classes: Annotated[str | None, typer.Option("--classes", help="Names of its classes, in order.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="binary, classes or regression, if not plain.")
    ] = None,
    stage: Annotated[bool, typer.Option("--stage", help="Do not make it live yet.")] = False,
    project: ProjectOption = None,
) -> None:
    """Take in a model made elsewhere. Formats that can run code, such as pickle, are refused.

    Example: ksqlkit models import churn.onnx --name churn --features VISITS,SPENT
    """
    from udf_server.models.importing import import_model
    from udf_server.tabular import TASKS

    if task is not None and task not in TASKS:
        raise UserError(f"There is no task {task}", hint=f"Known: {', '.join(TASKS)}.")
    with _refused():
        made = import_model(
            file,
            _store(project),
            name,
            features=_names(features),
            classes=tuple(c.strip() for c in classes.split(",")) if classes else (),
            task=task,
            promote=not stage,
        )
    state = "not live yet" if stage else "live"
    messages.print(f"{name} version {made.version} ({made.kind}, {len(made.features)} features), {state}")


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(n.strip().upper() for n in given.split(",")) if given else ()


class _refused:  # noqa: N801
    """Shows what the registry refuses as the user's error."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from udf_server.errors import ModelError

        if isinstance(error, ModelError):
            raise UserError(str(error)) from error
