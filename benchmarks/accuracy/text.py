"""BANKING77, SST-2 and the moderation of tweets: trained classifiers, and what needs no training beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.files import kept_back, read_csv, read_pairs
from benchmarks.accuracy.registry import Score
from udf_server.evaluation import f1_scores
from udf_server.text.classifier import TextClassifier
from udf_server.text.moderation import THRESHOLD, load_lexicon
from udf_server.text.sentiment import load_sentiment
from udf_server.text.training import LANGUAGE, UNEVEN, Recipe, fit_texts
from udf_server.text.zeroshot import label_probabilities

SEED = 11
Labelled = tuple[list[str], list[str]]
Tests = list[tuple[str, Labelled]]


def split(data: Labelled, share: float = 0.2) -> tuple[Labelled, Labelled]:
    """Rows for training and for the test, the classes spread alike over both."""
    texts, labels = data
    order = np.random.default_rng(SEED).permutation(len(texts))
    order = order[np.argsort(np.array(labels)[order], kind="stable")]
    test = set(order[:: round(1 / share)].tolist())
    parts: tuple[Labelled, Labelled] = (([], []), ([], []))
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        parts[row in test][0].append(text)
        parts[row in test][1].append(label)
    return parts


def tests_of(pattern: str, read: Any) -> Tests:
    """The files kept back, by name."""
    return [(path.stem, read(path)) for path in kept_back(pattern)]


def scored(classifier: TextClassifier, data: Labelled) -> tuple[dict[str, float], list[str]]:
    """Metrics of a classifier on labelled texts, and its answers."""
    said = classifier.labels(data[0])
    names = sorted({*said, *data[1]})
    place = {name: at for at, name in enumerate(names)}
    return f1_scores([place[n] for n in data[1]], [place[n] for n in said]), said


def trained(train: Labelled, recipe: Recipe) -> tuple[TextClassifier, dict[str, Any]]:
    """A classifier and the settings of its figures."""
    classifier, held = fit_texts(*train, recipe)
    shares = {name: round(share, 3) for name, share in classifier.shares.items()}
    return classifier, {
        "trained on": len(train[0]),
        "members": shares,
        "seed": recipe.seed,
        "cross-validated": {k: round(v, 4) for k, v in held.items()},
    }


def banking(folder: Path) -> list[Score]:
    """Accuracy over 77 intents: trained, and with no training by the intents' names alone."""
    data = read_csv(folder / "text" / "banking77-train.csv", "text", "category")
    tests = tests_of("banking77*.csv", lambda p: read_csv(p, "text", "category"))
    train = data
    if not tests:
        train, test = split(data)
        tests = [("a fifth of the shown rows", test)]
    classifier, settings = trained(train, LANGUAGE)
    labels = tuple(classifier.classes)
    out = []
    for name, test in tests:
        metrics, _ = scored(classifier, test)
        note = {**settings, "test": name, "rows": len(test[0])}
        out.append(Score("banking77", "accuracy, %", 100 * metrics["accuracy"], 91.3, note))
        found = label_probabilities(test[0], labels).argmax(axis=1)
        right = np.mean([labels[at] == truth for at, truth in zip(found, test[1], strict=True)])
        out.append(Score("banking77", "accuracy with no training, %", 100 * float(right), 55.6, note))
    return out


def sentiment(folder: Path) -> list[Score]:
    """Accuracy on SST-2: trained on its sentences, and the shipped lexicon, which never saw one."""
    train, dev = (read_pairs(folder / "text" / f"sst2-{part}.tsv") for part in ("train", "dev"))
    tests = [t for t in tests_of("sst2*.tsv", read_pairs) if "dev" not in t[0] and "train" not in t[0]]
    if tests:
        train = (train[0] + dev[0], train[1] + dev[1])
    else:
        tests = [("sst2-dev", dev)]
    classifier, settings = trained(train, LANGUAGE)
    lexicon = load_sentiment()
    out = []
    for name, test in tests:
        metrics, _ = scored(classifier, test)
        note = {**settings, "test": name, "rows": len(test[0])}
        out.append(Score("sst2", "accuracy, %", 100 * metrics["accuracy"], 82.5, note))
        right = np.mean(
            [(s > 0) == (y == "1") for s, y in zip(lexicon.scores(test[0]), test[1], strict=True)]
        )
        out.append(Score("sst2", "accuracy of the shipped lexicon, %", 100 * float(right), 66.4, note))
    return out


def moderation(folder: Path) -> list[Score]:
    """F1 on tweets of hate (0), offence (1) and neither (2): trained, and the shipped lexicon's flags."""
    data = read_csv(folder / "text" / "moderation-80.csv", "tweet", "class")
    tests = tests_of("moderation*.csv", lambda p: read_csv(p, "tweet", "class"))
    train = data
    if not tests:
        train, test = split(data)
        tests = [("a fifth of the shown rows", test)]
    classifier, settings = trained(train, UNEVEN)
    return [score for name, test in tests for score in _moderated(classifier, name, test, settings)]


def _moderated(
    classifier: TextClassifier, name: str, test: Labelled, settings: dict[str, Any]
) -> Iterator[Score]:
    metrics, said = scored(classifier, test)
    note = {**settings, "test": name, "rows": len(test[0])}
    yield Score("moderation", "weighted F1", metrics["weighted_f1"], 0.90, note)
    yield Score("moderation", "F1 of hate", _f1(test[1], said, "0"), 0.51, note)
    lexicon = load_lexicon()
    flags = ["2" if max(lexicon.scores(t).values()) < THRESHOLD else "1" for t in test[0]]
    truth = ["2" if label == "2" else "1" for label in test[1]]
    yield Score("moderation", "F1 of the lexicon's flags", _f1(truth, flags, "1"), None, note)


def _f1(truth: Sequence[str], said: Sequence[str], one: str) -> float:
    hits = sum(t == s == one for t, s in zip(truth, said, strict=True))
    total = sum(t == one for t in truth) + sum(s == one for s in said)
    return 2 * hits / total if total else 0.0


SETS = {"banking77": banking, "sst2": sentiment, "moderation": moderation}
