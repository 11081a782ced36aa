"""An ONNX text encoder of one's own: a table of word vectors, so that its answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app
from tests.support.onnx_model import encoder_model
from tests.support.scoring import ask
from udf_server.errors import ModelError
from udf_server.models.store import ModelStore
from udf_server.text.encoder import import_encoder

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

WORDS = ["[UNK]", "card", "pin", "plane", "flight", "help"]
VECTORS = np.array([[0, 0, 0.1], [1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0.1, 0.9, 0], [0, 0, 1]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "model.onnx").write_bytes(encoder_model(VECTORS))
    return tmp_path


def take(folder: Path, name: str = "mine", **more: Any) -> ModelStore:
    store = ModelStore(folder / "models")
    import_encoder(folder / "model.onnx", folder / "tokenizer.json", store, name, **more)
    return store


def unit(*words: str) -> list[float]:
    mean = np.mean([VECTORS[WORDS.index(w)] for w in words], axis=0)
    return (mean / np.linalg.norm(mean)).tolist()


def test_vectors_are_means_of_tokens_whatever_else_is_in_the_batch(folder: Path) -> None:
    take(folder)
    texts = ["card help", "card", "plane flight plane pin help card", "", "card", *["flight pin"] * 70]
    [answer] = ask(folder / "models", ("EMBED", [["mine", text] for text in texts]))
    assert answer.errors == []
    for text, vector in zip(texts, answer.values, strict=True):
        assert vector == pytest.approx(unit(*text.split()) if text else [0, 0, 0], abs=1e-6), text


def test_labels_are_chosen_by_it(folder: Path) -> None:
    take(folder)
    labels = ["lost_card", "flight"]
    rows = [["mine", text, labels] for text in ("my pin help", "plane")]
    bare, chances, detail, wrong = ask(
        folder / "models",
        ("CLASSIFY", rows),
        ("CLASSIFY_PROBA", rows),
        ("CLASSIFY_DETAIL", [["mine", "help plane", labels]]),
        ("CLASSIFY", [["nobody", "x", labels], ["mine", "plane", []], ["mine", None, labels], *rows]),
    )
    assert bare.values == ["lost_card", "flight"]
    assert all(sum(row.values()) == pytest.approx(1) for row in chances.values)
    assert detail.values[0]["VALUE"] == "flight"
    assert detail.values[0]["ATTRIBUTIONS"]["plane"] > detail.values[0]["ATTRIBUTIONS"]["help"]
    assert wrong.values[2:] == [None, "lost_card", "flight"]
    assert [(row, code) for row, code, _ in wrong.errors] == [(0, "INVALID_INPUT"), (1, "INVALID_INPUT")]


def test_the_first_token_on_request_and_a_long_text_is_cut(folder: Path) -> None:
    store = take(folder, pooling="first")
    assert store.metadata("mine", 1).settings == {"pooling": "first", "dimensions": 3}
    [answer] = ask(
        folder / "models", ("EMBED", [["mine", "plane card card"], ["mine", "pin " + "card " * 100_000]])
    )
    assert answer.values == [pytest.approx(unit("plane"), abs=1e-6), pytest.approx(unit("pin"), abs=1e-6)]


def test_it_predicts_nothing_and_others_do_not_encode(folder: Path) -> None:
    take(folder)
    predicted, asked = ask(folder / "models", ("PREDICT", [["mine", 1.0]]), ("CLASSIFY", [["mine", "card"]]))
    assert "EMBED('mine', text)" in predicted.errors[0][2]
    assert "does not read text" in asked.errors[0][2]


def test_files_that_do_not_fit_are_refused(folder: Path) -> None:
    (folder / "rubbish").write_bytes(b"rubbish")
    (folder / "other.onnx").write_bytes(encoder_model(VECTORS, ("pixels",)))
    (folder / "small.onnx").write_bytes(encoder_model(VECTORS[:2]))
    store = ModelStore(folder / "models")
    for model, tokenizer, said in (
        ("rubbish", "tokenizer.json", "onnxruntime refuses"),
        ("model.onnx", "rubbish", "rubbish"),
        ("model.onnx", "nofile", "cannot read"),
        ("other.onnx", "tokenizer.json", "takes pixels"),
    ):
        with pytest.raises(ModelError, match=said):
            import_encoder(folder / model, folder / tokenizer, store, "mine")
    with pytest.raises(ModelError, match="no pooling max"):
        take(folder, pooling="max")
    assert store.names() == []


def test_the_command_takes_both_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    monkeypatch.chdir(folder)
    words = ["models", "import", "model.onnx", "--tokenizer", "tokenizer.json", "--name", "mine"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stderr) == (0, "mine version 1 (encoder, 3 dimensions), live\n")
