"""Fits text classifiers: each member on the texts, then how much each counts on texts it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from udf_server.evaluation import f1_scores
from udf_server.models.store import Metadata, ModelStore
from udf_server.text.classifier import TextClassifier, dump
from udf_server.text.members import (
    EMBEDDING_WEIGHT,
    Bayes,
    Boosted,
    Linear,
    Member,
    Mood,
    Telling,
    Texts,
    boosted_rows,
    log_softmax,
    presence,
)
from udf_server.text.ngrams import Kind, Ngrams
from udf_server.text.tuning import fit_tuned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.text.embedding import Floats
    from udf_server.text.model import TextModel

    Labels = NDArray[np.int64]

MANY_CLASSES: Final = 20  # past this, trees are slow and one held-out part is enough
WORDS: Final = Kind("word", 1, 2)
LETTERS: Final = Kind("char", 2, 5)
RUNS: Final = Kind("word", 1, 3)
ACROSS: Final = Kind("char", 3, 6, inside=False)
BYTES: Final = Kind("char", 1, 3, inside=False)


_ALL: Final = ("linear", "telling", "bayes", "letters", "tuned", "tuned_again", "boosted", "mood")
_UNHEARD: Final = 0.005  # a member whose share is below is left out
_FOR_FEW: Final = frozenset(("letters", "boosted", "mood"))  # large or slow with many classes


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to fit. `seen` is in how many texts an n-gram of each kind must be; `lean` adjusts the classes' thresholds
    towards the mean of their F1 scores, for classes of very different size."""

    kinds: tuple[tuple[Kind, int], ...] = ((WORDS, 1), (LETTERS, 2))
    members: tuple[str, ...] = _ALL
    embedding: bool = True
    signs: bool = False  # whether the trees see the signs of a text too
    strictness: float = 0.5  # C of the linear support vector machine
    balanced: bool = False  # whether a rare class weighs as much as a common one to those machines
    folds: int = 4
    lean: bool = False
    seed: int = 7


LANGUAGE: Final = Recipe()
# For a rare class that must be found; looser machines, as its few texts weigh much. What the other members say of
# strong language the signs say better, and sooner.
UNEVEN: Final = Recipe(
    members=("linear", "telling", "boosted"), signs=True, strictness=0.1, balanced=True, lean=True
)
PAYLOADS: Final = Recipe(kinds=((BYTES, 2),), members=("linear",), embedding=False, strictness=10.0)


def recipe_for(name: str) -> Recipe:
    """What suits the model of a name: PAYLOAD_THREAT's sees signs, MODERATE's has a rare class to find."""
    if name == "payload":
        return PAYLOADS
    return UNEVEN if name == "moderation" else LANGUAGE


def fit_recipe(model: TextModel) -> Recipe:
    """What a trained model was fitted by, for the next version of it."""
    recipe = recipe_for(model.metadata.name)
    kept = model.metadata.training_data
    return replace(
        recipe, seed=int(kept.get("seed", recipe.seed)), folds=int(kept.get("folds", recipe.folds))
    )


def fit_texts(
    texts: Sequence[str], labels: Sequence[str], recipe: Recipe = LANGUAGE
) -> tuple[TextClassifier, dict[str, float]]:
    """A classifier and its cross-validated metrics (accuracy, macro_f1, weighted_f1).

    Raises DataError when there are fewer than two classes or a class with fewer texts than folds.
    """
    import numpy as np

    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} texts but {len(labels)} labels")
    classes, numbers = np.unique(np.array(labels, dtype=str), return_inverse=True)
    fewest = int(np.bincount(numbers).min()) if len(texts) else 0
    if len(classes) < 2 or fewest < 2:
        raise DataError(
            f"{len(texts)} texts of {len(classes)} classes, {fewest} in the smallest, cannot teach a classifier",
            hint="give at least two classes and two texts of each",
        )
    if len(classes) > MANY_CLASSES:
        recipe = replace(recipe, members=tuple(m for m in recipe.members if m not in _FOR_FEW))
    held, truth = _held_out(texts, numbers, len(classes), recipe)
    shares = _shares(held, truth) if truth.size else dict.fromkeys(recipe.members, 1.0)
    votes: Floats = sum((shares[m] * s for m, s in held.items()), start=np.zeros(1, dtype=np.float32))
    lean = _lean(votes, truth, len(classes)) if recipe.lean else np.zeros(len(classes), dtype=np.float32)
    used = tuple(m for m in recipe.members if shares[m] > _UNHEARD) or recipe.members
    members = _fit_members(Texts(texts), numbers, len(classes), replace(recipe, members=used))
    metrics = f1_scores(truth, (votes + lean).argmax(axis=1)) if truth.size else {}
    return TextClassifier(tuple(classes.tolist()), members, {m: shares[m] for m in used}, lean), metrics


def train_texts(
    texts: Sequence[str],
    labels: Sequence[str],
    store: ModelStore,
    *,
    name: str,
    recipe: Recipe = LANGUAGE,
    promote: bool = True,
    description: str = "",
) -> Metadata:
    """Fit a classifier and publish it under a name that CLASSIFY takes; its metrics are cross-validated."""
    classifier, metrics = fit_texts(texts, labels, recipe)
    return store.publish(
        name,
        dump(classifier),
        kind="text",
        file="model.npz",
        features=["text"],
        metrics=metrics,
        training_data={
            "description": description,
            "rows": len(texts),
            "classes": len(classifier.classes),
            "shares": dict(classifier.shares),
            "seed": recipe.seed,
            "folds": recipe.folds,
        },
        promote=promote,
    )


def _held_out(
    texts: Sequence[str], labels: Labels, classes: int, recipe: Recipe
) -> tuple[dict[str, Floats], Labels]:
    """Each member's scores of texts that it was not fitted to, and those texts' labels."""
    import numpy as np

    parts: dict[str, list[Floats]] = {m: [] for m in recipe.members}
    truth: list[Labels] = []
    for rows, rest in _splits(labels, recipe, single=classes > MANY_CLASSES):
        known, asked = Texts([texts[r] for r in rest]), Texts([texts[r] for r in rows])
        for name, member in _fit_members(known, labels[rest], classes, recipe).items():
            parts[name].append(member.scores(asked))
        truth.append(labels[rows])
    return {m: np.concatenate(found) for m, found in parts.items()}, np.concatenate(truth)


def _splits(labels: Labels, recipe: Recipe, *, single: bool) -> Iterable[tuple[Labels, Labels]]:
    """Held-out rows and the rest, the classes spread evenly over the folds."""
    import numpy as np

    folds = max(recipe.folds, 2)
    order = np.random.default_rng(recipe.seed).permutation(len(labels))
    sorted_by_class = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[sorted_by_class] = np.arange(len(labels)) % folds
    for number in range(1 if single else folds):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)


def _shares(held: Mapping[str, Floats], truth: Labels) -> dict[str, float]:
    """The factors that make the held-out labels likeliest, none below zero."""
    import numpy as np
    from scipy.optimize import minimize

    scores = np.stack(list(held.values())).astype(np.float64)
    rows = np.arange(truth.size)

    def loss(factors: Any) -> tuple[float, Any]:
        found = log_softmax(np.tensordot(factors, scores, axes=1))
        left = np.exp(found)
        left[rows, truth] -= 1
        slope = np.einsum("mnk,nk->m", scores, left) / truth.size
        return -float(found[rows, truth].mean()), slope

    start = np.full(len(held), 1 / len(held))
    best = minimize(loss, start, jac=True, bounds=[(0, None)] * len(held), method="L-BFGS-B").x
    return dict(zip(held, map(float, best), strict=True))


def _lean(votes: Floats, truth: Labels, classes: int) -> Floats:
    """What to add for each class so that the mean of macro and weighted F1 is highest on held-out texts."""
    import numpy as np

    lean = np.zeros(classes, dtype=np.float32)
    best = _balance(votes, truth)
    for _ in range(2):
        for at in range(classes):
            for step in np.arange(-2.0, 2.05, 0.1):
                tried = lean.copy()
                tried[at] = step
                found = _balance(votes + tried, truth)
                if found > best:
                    best, lean = found, tried
    return lean


def _balance(votes: Floats, truth: Labels) -> float:
    found = f1_scores(truth, votes.argmax(axis=1))
    return (found["macro_f1"] + found["weighted_f1"]) / 2


def _fit_members(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> dict[str, Member]:
    return {name: _FITTERS[name](given, labels, classes, recipe) for name in recipe.members}


def _fit_linear(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    import numpy as np
    from scipy.sparse import csr_matrix, hstack

    blocks = [Ngrams.learn(given.texts, kind, seen=seen) for kind, seen in recipe.kinds]
    parts = [_matrix(block, given.texts) for block in blocks]
    if recipe.embedding:
        parts.append(csr_matrix(EMBEDDING_WEIGHT * given.embedding))
    weights, intercept = _per_class(_machine(recipe).fit(hstack(parts).tocsr(), labels), labels, classes)
    ends = np.cumsum([0] + [p.shape[1] for p in parts])
    cut = [weights[a:b] for a, b in pairwise(ends.tolist())]
    return Linear(blocks, cut[: len(blocks)], cut[-1] if recipe.embedding else None, intercept)


def _fit_telling(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    words = Ngrams.learn(given.texts, WORDS)
    ratio = _log_ratios(presence(words, given.texts), labels, classes)
    factors = np.abs(ratio).max(axis=0).astype(np.float32)
    scaled = words.encode(given.texts).scaled(factors)
    matrix = _sparse(scaled, len(factors))
    if classes == 2:
        machine = LogisticRegression(C=3.0, solver="liblinear", random_state=recipe.seed).fit(matrix, labels)
    else:
        machine = _machine(recipe).fit(matrix, labels)
    weights, intercept = _per_class(machine, labels, classes)
    return Telling(words, factors, weights, intercept)


def _fit_bayes(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    import numpy as np

    del recipe  # nothing to set
    words = Ngrams.learn(given.texts, RUNS)
    ratio = _log_ratios(presence(words, given.texts), labels, classes)
    return Bayes(words, ratio.T.astype("float32"), np.zeros(classes, dtype=np.float32))


def _fit_letters(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    runs = Ngrams.learn(given.texts, ACROSS, seen=2)
    machine = _machine(recipe).fit(_matrix(runs, given.texts), labels)
    weights, intercept = _per_class(machine, labels, classes)
    return Linear([runs], [weights], None, intercept)


def _machine(recipe: Recipe) -> Any:
    from sklearn.svm import LinearSVC

    weight = "balanced" if recipe.balanced else None
    return LinearSVC(C=recipe.strictness, class_weight=weight, random_state=recipe.seed)


def _log_ratios(ones: Any, labels: Labels, classes: int) -> Floats:
    """Classes by columns: the logarithm of how much likelier a column is in the class than in the others."""
    import numpy as np

    used = np.stack([np.asarray(ones[labels == k].sum(axis=0)).ravel() for k in range(classes)])
    rest = used.sum(axis=0, keepdims=True) - used + 1
    used = used + 1
    found: Floats = np.log(used / used.sum(axis=1, keepdims=True)) - np.log(
        rest / rest.sum(axis=1, keepdims=True)
    )
    return found


def _fit_tuned(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    many = classes > MANY_CLASSES
    epochs, rate = (20, 1e-2) if many else (5, 5e-3)
    return fit_tuned(given, labels, classes, epochs=epochs, rate=rate, seed=recipe.seed)


def _fit_tuned_again(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    return _fit_tuned(given, labels, classes, replace(recipe, seed=recipe.seed + 1))


def _fit_boosted(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    from ksqlkit.imports import import_xgboost

    xgboost = import_xgboost()
    words = Ngrams.learn(given.texts, Kind("word", 1, 1), seen=8)
    if not words.vocabulary:
        words = Ngrams.learn(given.texts, Kind("word", 1, 1))
    # Signs are numbers and not only there or not: finer bins, and smaller steps pay.
    bins, rate, rounds = (64, 0.07, 400) if recipe.signs else (16, 0.15, 200)
    parameters = {
        "objective": "binary:logistic" if classes == 2 else "multi:softprob",
        "max_depth": 5,
        "eta": rate,
        "subsample": 0.8,
        "colsample_bytree": 0.3,
        "min_child_weight": 2,
        "max_bin": bins,
        "tree_method": "hist",
        "nthread": 1,
        "seed": recipe.seed,
        **({} if classes == 2 else {"num_class": classes}),
    }
    data = xgboost.DMatrix(boosted_rows(words, given, recipe.signs), labels)
    booster = xgboost.train(parameters, data, num_boost_round=rounds)
    return Boosted(words, bytes(booster.save_raw("ubj")), recipe.signs)


def _fit_mood(given: Texts, labels: Labels, classes: int, recipe: Recipe) -> Member:
    from sklearn.linear_model import LogisticRegression

    machine = LogisticRegression(random_state=recipe.seed).fit(given.mood, labels)
    weights, intercept = _per_class(machine, labels, classes)
    return Mood(weights, intercept)


_FITTERS: Final[dict[str, Callable[[Texts, Labels, int, Recipe], Member]]] = {
    "linear": _fit_linear,
    "telling": _fit_telling,
    "bayes": _fit_bayes,
    "letters": _fit_letters,
    "tuned": _fit_tuned,
    "tuned_again": _fit_tuned_again,
    "boosted": _fit_boosted,
    "mood": _fit_mood,
}


def _matrix(block: Ngrams, texts: Sequence[str]) -> Any:
    return _sparse(block.encode(texts), len(block.vocabulary))


def _sparse(found: Any, width: int) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    starts = np.concatenate(([0], np.cumsum(found.counts)))
    return csr_matrix((found.values, found.columns, starts), shape=(len(found.counts), width))


def _per_class(machine: Any, labels: Labels, classes: int) -> tuple[Floats, Floats]:
    """Weights, features by classes, and intercepts; a class that was not among the labels never wins."""
    import numpy as np

    coefficients, offsets = machine.coef_, machine.intercept_
    if len(coefficients) == 1:
        coefficients = np.concatenate((-coefficients, coefficients)) / 2
        offsets = np.concatenate((-offsets, offsets)) / 2
    weights = np.zeros((coefficients.shape[1], classes), dtype=np.float32)
    intercept = np.full(classes, -1e3, dtype=np.float32)
    present = np.unique(labels)
    weights[:, present], intercept[present] = coefficients.T, offsets
    return weights, intercept
