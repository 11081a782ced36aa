from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ksqlkit.errors import DataError
from tests.support.scoring import ask
from udf_server.errors import ModelError
from udf_server.evaluation import f1_scores
from udf_server.models.store import ModelStore
from udf_server.text.classifier import dump, restore
from udf_server.text.members import READERS, Texts
from udf_server.text.model import harmless_class
from udf_server.text.moderation import load_lexicon, normal
from udf_server.text.ngrams import Kind, Ngrams, grams, split
from udf_server.text.occlusion import word_contributions
from udf_server.text.sentiment import load_sentiment
from udf_server.text.signs import SIGNS, signs
from udf_server.text.training import LANGUAGE, PAYLOADS, fit_texts, train_texts
from udf_server.train_rows import Task, train_rows

TOPICS = {
    "card": ["card", "lost", "stolen", "new", "pin", "plastic", "blocked"],
    "refund": ["refund", "money", "back", "return", "paid", "twice", "charge"],
    "login": ["login", "password", "account", "email", "locked", "reset"],
}


def messages(count: int, seed: int = 3) -> tuple[list[str], list[str]]:
    rnd = random.Random(seed)
    labels = [rnd.choice(list(TOPICS)) for _ in range(count)]
    filler = ["please", "i", "my", "the", "is", "what", "can", "you", "help", "with", "today"]
    texts = [" ".join(rnd.sample(TOPICS[label], 2) + rnd.sample(filler, 4)) for label in labels]
    return texts, labels


def test_grams_of_words_and_characters() -> None:
    assert split("It's <b>GREAT</b>!") == ["it's", "<", "b", ">", "great", "<", "/", "b", ">", "!"]
    assert list(grams("a b c", Kind("word", 1, 3))) == ["a", "b", "c", "a b", "b c", "a b c"]
    assert list(grams("ab c", Kind("char", 2, 3))) == [" a", "ab", "b ", " ab", "ab ", " c", "c ", " c "]
    assert list(grams("ab c", Kind("char", 3, 3, inside=False))) == ["ab ", "b c"]


@pytest.mark.slow
def test_encoding_is_scikit_learns() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["the cat sat on the mat", "a dog sat", "cats and dogs", ""]
    peer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    expected = peer.fit_transform(texts).toarray()
    found = Ngrams.learn(texts, Kind("word", 1, 2))
    dense = found.encode(texts).times(np.eye(len(found.vocabulary), dtype=np.float32))
    order = [found.vocabulary[g] for g in peer.get_feature_names_out()]
    np.testing.assert_allclose(dense[:, order], expected, atol=1e-6)


@pytest.mark.slow
def test_a_classifier_learns_and_survives_its_file() -> None:
    texts, labels = messages(150)
    recipe = replace(LANGUAGE, folds=2)
    classifier, metrics = fit_texts(texts, labels, recipe)
    assert set(classifier.members) == set(classifier.shares) <= set(READERS)
    assert metrics["accuracy"] > 0.95
    again = restore(dump(classifier))
    asked = [*messages(30, seed=8)[0], "", "😀", "zzz qqq", "card " * 30_000]
    np.testing.assert_allclose(again.probabilities(asked), classifier.probabilities(asked), atol=0.01)
    assert np.allclose(again.probabilities(asked).sum(axis=1), 1.0, atol=1e-5)
    assert again.labels(["the card is blocked"]) == ["card"]
    assert again.probabilities([]).shape == (0, 3)


def test_what_a_member_says_of_a_text_does_not_depend_on_its_batch() -> None:
    texts, labels = messages(60)
    classifier, _ = fit_texts(texts, labels, replace(LANGUAGE, folds=2, members=("linear", "tuned", "bayes")))
    for member in classifier.members.values():
        together = member.scores(Texts([*texts[:4], ""]))
        alone = np.concatenate([member.scores(Texts([t])) for t in [*texts[:4], ""]])
        np.testing.assert_allclose(together, alone, atol=1e-5)


def test_signs_are_what_a_text_shows_besides_its_words() -> None:
    text = 'RT @Ann_1: WOW "wow" damn! #x http://t.co/AB &#8220; gay, Muslims: APES!'
    shown = dict(zip(SIGNS, signs([text], np.array([[0.5]], dtype=np.float32))[0].tolist(), strict=True))
    assert shown == pytest.approx({
        "hate": 0.0, "harassment": 0.0, "violence": 0.0, "sexual": 0.0, "self_harm": 0.0, "profanity": 0.6, "mood": 0.5,
        "contempt": 1, "group": 2, "characters": 72, "words": 12, "characters a word": 6.0, "distinct words": 1.0,
        "letters a word": 53 / 12, "loud words": 3, "capitals": 13 / 72, "digits": 5, "exclamations": 2, "questions": 0,
        "tags": 2, "mentions": 1, "links": 1, "quotes": 2, "entities": 1, "repeats another": 1,
    }, abs=1e-5)  # fmt: skip
    assert signs([], np.zeros((0, 1), dtype=np.float32)).shape == (0, len(SIGNS))
    assert np.isfinite(signs(["", " ", "\ud83d", "!" * 30_000], np.zeros((4, 1), dtype=np.float32))).all()


def test_trees_tell_by_signs_what_words_do_not() -> None:
    words = [f"w{n}" for n in range(40)]
    rnd = random.Random(5)
    calm = [" ".join(rnd.sample(words, 5)) for _ in range(60)]
    texts, labels = [*calm, *(t.upper() for t in calm)], ["calm"] * 60 + ["loud"] * 60
    recipe = replace(LANGUAGE, folds=2, members=("boosted",))
    blind, seeing = (fit_texts(texts, labels, replace(recipe, signs=s)) for s in (False, True))
    assert blind[1]["accuracy"] < 0.7 < 0.95 < seeing[1]["accuracy"]
    for classifier, _ in (blind, seeing):
        again = restore(dump(classifier))
        np.testing.assert_allclose(again.probabilities(texts), classifier.probabilities(texts), atol=1e-3)
    [member] = seeing[0].members.values()
    np.testing.assert_allclose(member.scores(Texts(texts))[:1], member.scores(Texts(texts[:1])), atol=1e-6)
    # As files of before trees saw signs are.
    old = {k: v for k, v in blind[0].members["boosted"].arrays().items() if k != "signs"}
    assert (
        READERS["boosted"](old).scores(Texts(texts)) == blind[0].members["boosted"].scores(Texts(texts))
    ).all()
    with pytest.raises(ValueError, match="fitted to 3 signs"):
        READERS["boosted"]({**old, "signs": np.array(3)})


@pytest.mark.parametrize(
    ("texts", "labels"),
    [([], []), (["a", "b"], ["x", "x"]), (["a", "b", "c"], ["x", "x", "y"]), (["a"], ["x", "y"])],
)
def test_texts_that_cannot_teach_are_refused(texts: list[str], labels: list[str]) -> None:
    with pytest.raises(DataError):
        fit_texts(texts, labels)


def test_leaning_helps_the_rare_class() -> None:
    truth = np.array([0] * 5 + [1] * 95)
    assert f1_scores(truth, truth) == {"accuracy": 1.0, "macro_f1": 1.0, "weighted_f1": 1.0}
    assert f1_scores(truth, np.ones(100, dtype=int))["macro_f1"] == pytest.approx(0.4871794)
    rnd = random.Random(0)
    rare = ["bad awful " if rnd.random() < 0.6 else "so so " for _ in range(20)]
    texts = [r + "thing" for r in rare] + ["good thing"] * 150 + ["so so thing"] * 60
    labels = ["bad"] * 20 + ["good"] * 210
    recipe = replace(LANGUAGE, folds=2, members=("linear",), lean=True)
    assert fit_texts(texts, labels, recipe)[1]["macro_f1"] > 0.6


@pytest.mark.slow
def test_a_trained_model_answers_by_name_in_every_form(tmp_path: Path) -> None:
    texts, labels = messages(90)
    small = replace(LANGUAGE, folds=2, members=("linear", "bayes"))
    made = train_texts(texts, labels, ModelStore(tmp_path), name="subject", recipe=small)
    assert made.metrics["accuracy"] > 0.9
    rows = [["subject", "the card was stolen"], ["nothing", "x"], ["subject", None]]
    bare, chances, detail, predicted = ask(
        tmp_path,
        ("CLASSIFY", rows),
        ("CLASSIFY_PROBA", rows[:1]),
        ("CLASSIFY_DETAIL", rows[:2]),
        ("CLASSIFY", [["card stolen", ["card stolen", "weather"]]]),
    )
    assert bare.values == ["card", None, None]
    assert [(r, c) for r, c, _ in bare.errors] == [(1, "INVALID_INPUT")]
    assert sum(chances.values[0].values()) == pytest.approx(1.0, abs=1e-5)
    first, second = detail.values
    assert max(first["ATTRIBUTIONS"], key=first["ATTRIBUTIONS"].get) in ("card", "stolen")
    assert (second["STATUS"], second["VALUE"]) == ("INVALID_INPUT", None)
    assert predicted.values == ["card stolen"]


@pytest.mark.parametrize(
    ("function", "name", "classes"),
    [
        ("SENTIMENT", "sentiment", ("positive", "negative")),
        ("MODERATE", "moderation", ("neither", "spam")),
        ("PAYLOAD_THREAT", "payload", ("norm", "sqli")),
    ],
)
def test_the_detail_form_names_the_trained_model_that_took_over(
    tmp_path: Path, function: str, name: str, classes: tuple[str, str]
) -> None:
    def said() -> list[tuple[str, str | None, int]]:
        [answer] = ask(tmp_path, (f"{function}_DETAIL", [["zorp"], [None], ["blick"], [7]]))
        return [(v["STATUS"], v["MODEL"], v["VERSION"]) for v in answer.values]

    wrong = ("INVALID_INPUT", None, 1)  # a number never got to a model
    assert said() == [("OK", None, 1)] * 3 + [wrong]
    store = ModelStore(tmp_path)
    small = replace(LANGUAGE, folds=2, members=("bayes",))
    texts = ["zorp is up today"] * 10 + ["blick is down now"] * 10
    for _ in range(2):
        train_texts(texts, [c for c in classes for _ in range(10)], store, name=name, recipe=small)
    # The text that was NULL is NULL by the function's rule, without the model.
    assert said() == [("OK", name, 2), ("OK", None, 1), ("OK", name, 2), wrong]


def test_a_classifier_that_cannot_tell_a_mood_does_not_take_over(tmp_path: Path) -> None:
    told = [{"BODY": "a b", "KIND": "spam"}, {"BODY": "c d", "KIND": "ham"}] * 10
    with pytest.raises(ModelError, match="must have the classes positive and negative; it has ham, spam"):
        train_rows(told, Task("KIND", text="BODY"), ModelStore(tmp_path), "sentiment")
    assert ModelStore(tmp_path).names() == []


@pytest.mark.slow
def test_trained_sentiment_and_moderation_take_over(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    small = replace(LANGUAGE, folds=2, members=("linear",))
    good, bad = ["zorp is up today"] * 10, ["blick is down now"] * 10
    train_texts(good + bad, ["positive"] * 10 + ["negative"] * 10, store, name="sentiment", recipe=small)
    train_texts(good + bad, ["neither"] * 10 + ["spam"] * 10, store, name="moderation", recipe=small)
    mood, flags = ask(
        tmp_path, ("SENTIMENT", [["zorp zorp"], ["blick"]]), ("MODERATE", [["zorp"], ["blick down"]])
    )
    assert [v["SCORE"] > 0 for v in mood.values] == [True, False]
    assert [v["FLAGGED"] for v in flags.values] == [False, True]
    assert set(flags.values[0]["CATEGORIES"]) == {"spam"}


def test_the_lexicon_sees_through_disguises_and_leaves_plain_words_alone(tmp_path: Path) -> None:
    assert normal("F.U.C.K fuuuuck sh1t 1000 a b") == "fuck fuuck shit 1000 a b"
    cases = {
        "i will k1ll you": "violence",
        "what the f u c k": "profanity",
        "you're worthless": "harassment",
        "I want to end my life": "self_harm",
        "send nudes": "sexual",
        "heil hitler": "hate",
    }
    for text, category in cases.items():
        assert load_lexicon().scores(text)[category] >= 0.5, text
    harmless = [
        "Scunthorpe class assessment",
        "the cockpit of the plane",
        "my password was reset",
        "",
        "1 4 5",
    ]
    answers = ask(tmp_path, ("MODERATE", [[t] for t in harmless]))[0].values
    assert [a["FLAGGED"] for a in answers] == [False] * len(harmless)


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("I hate all jews", True),
        ("i really hate muslims", True),
        ("KILL ALL IMMIGRANTS!", True),
        ("The jews are a plague", True),
        ("gypsies are  vermin", True),
        ("trans people should be shot", True),
        ("Ban all refugees", True),
        ("I hate mondays", False),
        ("I hate all vegetables", False),
        ("many jews live here", False),
        ("I hate women's shoes", False),
        ("black people are not animals", False),
        ("kill all processes", False),
        ("immigrants are doctors", False),
        ("refugees are welcome", False),
        ("I don't hate jews", False),
    ],
)
def test_contempt_for_a_group_is_hate_and_its_name_is_not(text: str, *, flagged: bool) -> None:
    scores = load_lexicon().scores(text)
    assert (scores["hate"] >= 0.5) == flagged
    assert (max(scores.values()) >= 0.5) == flagged


@pytest.mark.parametrize("part", ["a", "a.", "a4", "!", "&", "http://", "Http://", "a a "])
def test_a_text_made_to_be_slow_is_read_quickly(part: str) -> None:
    text = part * 100_000
    load_lexicon(), load_sentiment().scores(["read the files"])
    start = time.process_time()
    load_lexicon().scores(text)
    load_sentiment().scores([text])
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    ("given", "read"),
    [("sh1t!! 42", "shit!! 42"), ("4 cats", "4 cats"), ("w!!! 5", "w!!! 5"), ("a-1,x 1,a", "a-i,x i,a")],
)
def test_signs_stand_for_letters_only_where_letters_are_about(given: str, read: str) -> None:
    assert normal(given) == read


def test_embedding_is_at_unit_length_and_near_for_like_texts(tmp_path: Path) -> None:
    values = ask(
        tmp_path, ("EMBED", [["lost my bank card"], ["bank card missing"], ["sunny weather"], [""]])
    )[0].values
    one, two, three, none = (np.array(v) for v in values)
    assert one.shape == (256,)
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    assert one @ two > one @ three
    assert not none.any()


def test_contributions_are_what_leaving_a_word_out_costs() -> None:
    found = word_contributions(
        ["a bb a", ""], lambda texts, rows: [float(len(t)) + r for t, r in zip(texts, rows, strict=True)]
    )
    assert found == [{"a": 4.0, "bb": 3.0}, {}]


def test_harmless_class() -> None:
    assert harmless_class(["hate", "Neither"]) == "Neither"
    assert harmless_class(["a", "b"]) is None


def test_payloads_train_from_rows_and_answer(tmp_path: Path) -> None:
    attacks = ["' or 1=1 --", "1 union select a from b", "' and sleep(5)#", "x' or 'a'='a"]
    rows = [{"P": f"{a} {n}", "KIND": "sqli"} for a in attacks for n in range(5)]
    rows += [{"P": f"calle mayor {n}", "KIND": "norm"} for n in range(20)]
    made = train_rows(rows, Task(label="KIND", text="P"), ModelStore(tmp_path), "payload")
    assert set(made.training_data["shares"]) == set(PAYLOADS.members)
    values = ask(tmp_path, ("PAYLOAD_THREAT", [["a' or 2=2 --"], ["calle 9"]]))[0].values
    assert [v["KIND"] for v in values] == ["sqli", None]
    assert values[0]["SCORE"] > 0.5 > values[1]["SCORE"]
