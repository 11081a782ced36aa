"""ksqlkit models: the registry of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, open_config
from ksqlkit.cli.output import guarded, print_json, print_table, tell
from ksqlkit.cli.train_source import split_names
from ksqlkit.errors import UserError

if TYPE_CHECKING:
    from udf_server.models.store import Metadata, ModelStore

models = typer.Typer(
    help="The registry of models: list, promote, roll back, canary, shadow, import.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(help="The model.")]
OffOption = Annotated[bool, typer.Option("--off", help="End it.")]


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
    """List the models that answer, or all versions of one, with what was measured.

    Example: ksqlkit models list fraud
    """
    store = _store(project)
    if name is not None and not store.versions(name):
        raise UserError(f"There is no model {name}", hint=f"Known: {', '.join(store.names()) or 'none'}.")
    pairs = [(n, v) for n in ([name] if name else store.names()) for v in store.versions(n)]
    found = [(store.metadata(n, v), _roles(store, n, v)) for n, v in pairs]
    if name is None:
        found = [(m, roles) for m, roles in found if roles]
    if json:
        print_json([_described(m) | {"live": "live" in roles, "roles": roles} for m, roles in found])
        return
    rows = [
        [
            m.name,
            " ".join([str(m.version), *roles]),
            m.kind,
            len(m.features),
            ", ".join(f"{k} {v:.4g}" for k, v in m.metrics.items()),
            m.created_at,
        ]
        for m, roles in found
    ]
    print_table(None, ["model", "version", "kind", "features", "measured", "made"], rows)


def _described(made: Metadata) -> dict[str, Any]:
    """A version as `--json` has it."""
    return {
        "model": made.name,
        "version": made.version,
        "kind": made.kind,
        "task": made.settings.get("task"),
        "features": made.features,
        "classes": made.classes,
        "metrics": made.metrics,
        "created_at": made.created_at,
    }


def _roles(store: ModelStore, name: str, version: int) -> list[str]:
    """What a version does: `live`, `canary 10%`, `shadow`."""
    aliases = store.aliases(name)
    roles = [role for role in ("live", "shadow") if aliases.get(role) == version]
    canary = store.canary(name)
    if canary is not None and canary[0] == version:
        roles.append(f"canary {canary[1]:.3g}")
    return roles


@models.command()
@guarded
def promote(
    name: NameArgument,
    version: Annotated[int, typer.Argument(help="The version that is to answer.")],
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Make a version live. Servers follow within a second; queries that run keep the version they started with.

    Example: ksqlkit models promote fraud 3
    """
    store = _store(project)
    store.promote(name, version)
    _moved(store, name, f"{name} version {version} is live", json)


@models.command()
@guarded
def rollback(name: NameArgument, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Make the version before the live one live again; a canary ends.

    Example: ksqlkit models rollback fraud
    """
    store = _store(project)
    version = store.rollback(name)
    _moved(store, name, f"{name} version {version} is live", json)


@models.command()
@guarded
def canary(
    name: NameArgument,
    version: Annotated[int | None, typer.Argument(help="The version that is to answer a share.")] = None,
    share: Annotated[
        float, typer.Option("--share", help="Of the calls that name no version; over 0, under 1.")
    ] = 0.1,
    off: OffOption = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Let a version answer a share of the calls, to see how it does before it is promoted.

    `udf_model_rows_total` counts the rows that each version answered. Promoting it, or a rollback, ends the canary.

    Example: ksqlkit models canary fraud 4 --share 0.05

    Also: ksqlkit models canary fraud --off
    """
    store = _store(project)
    store.set_canary(name, _one_of(version, off), share)
    said = f"{name} has no canary" if off else f"{name} version {version} answers {share:.3g} of the calls"
    _moved(store, name, said, json)


@models.command()
@guarded
def shadow(
    name: NameArgument,
    version: Annotated[int | None, typer.Argument(help="The version that is to be compared.")] = None,
    off: OffOption = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Have a version score beside the live one what that answers; nobody gets its scores.

    `udf_shadow_rows_total` counts the rows where both say the same, `udf_shadow_difference` how far they are apart.

    Example: ksqlkit models shadow fraud 4

    Also: ksqlkit models shadow fraud --off
    """
    store = _store(project)
    store.set_shadow(name, _one_of(version, off))
    said = f"{name} has no shadow" if off else f"{name} version {version} is compared with the live one"
    _moved(store, name, said, json)


def _one_of(version: int | None, off: bool) -> int | None:
    if (version is None) != off:
        raise UserError("Name a version, or say --off")
    return version


def _moved(store: ModelStore, name: str, said: str, json: bool) -> None:
    if json:
        given = store.canary(name)
        print_json({"model": name, "aliases": store.aliases(name), "share": given and given[1]})
    else:
        tell(said)


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
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="tokenizer.json of an ONNX text encoder, for EMBED.")
    ] = None,
    pooling: Annotated[
        str, typer.Option("--pooling", help="Of a text encoder's tokens: mean, or first.")
    ] = "mean",
    stage: Annotated[bool, typer.Option("--stage", help="Do not make it live yet.")] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Take in a model made elsewhere. Formats that can run code, such as pickle, are refused.

    Example: ksqlkit models import churn.onnx --name churn --features VISITS,SPENT

    Also: ksqlkit models import model.onnx --tokenizer tokenizer.json --name encoder
    """
    from udf_server.models.importing import import_model
    from udf_server.tabular import TASKS

    if task is not None and task not in TASKS:
        raise UserError(f"There is no task {task}", hint=f"Known: {', '.join(TASKS)}.")
    names = split_names(features)
    if tokenizer is not None:
        from udf_server.text.encoder import import_encoder

        made = import_encoder(file, tokenizer, _store(project), name, pooling=pooling, promote=not stage)
        size = f"{made.settings['dimensions']} dimensions"
    else:
        given = tuple(c.strip() for c in classes.split(",")) if classes else ()
        made = import_model(
            file, _store(project), name, features=names, classes=given, task=task, promote=not stage
        )
        size = f"{len(made.features)} features"
    if json:
        print_json(_described(made) | {"live": not stage})
        return
    what = made.settings.get("task")
    tell(f"{name} version {made.version} ({made.kind}, {size}), {'not live yet' if stage else 'live'}")
    if what:
        shown = f", its classes {', '.join(made.classes)}" if made.classes else ""
        tell(f"Its features are {', '.join(made.features)}; its task is {what}{shown}")
    if tokenizer is None and not names and made.features[0] == "F1":
        tell("hint: the file does not name its features; give their names, in order, by --features A,B,C")
    if made.classes == tuple(map(str, range(len(made.classes)))) and len(made.classes) > 2 and not classes:
        tell("hint: the file does not name its classes; give their names, in order, by --classes A,B,C")
