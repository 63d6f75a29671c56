"""Briefs as files: encodings, Word documents, and what is refused."""

import zipfile
from pathlib import Path

import docx
import pytest

from features.brieftext.document import MOST_CHARACTERS, read_document
from features.errors import TableError, UserError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "brief.txt"
    path.write_text("预算30万，找10位达人", encoding=encoding)
    assert read_document(path) == "预算30万，找10位达人"


def test_a_word_document_gives_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("夏季推广", 1)
    document.add_paragraph("平台：抖音")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "预算", "30万"
    document.add_paragraph("不投快手")
    path = tmp_path / "brief.docx"
    document.save(str(path))
    assert read_document(path).splitlines() == [
        "夏季推广",
        "平台：抖音",
        "| 预算 | 30万 |",
        "不投快手",
    ]


def test_tracked_insertions_are_read_and_deletions_are_not(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("预算")._p
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    for tag, inner, text in (("ins", "t", "30万"), ("del", "delText", "50万")):
        change = paragraph.makeelement(f"{{{word}}}{tag}", {})
        run = change.makeelement(f"{{{word}}}r", {})
        said = run.makeelement(f"{{{word}}}{inner}", {})
        said.text = text
        run.append(said)
        change.append(run)
        paragraph.append(change)
    path = tmp_path / "brief.docx"
    document.save(str(path))
    assert read_document(path) == "预算30万"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("brief.txt", b"", "no text"),
        ("brief.txt", b"  \n ", "no text"),
        ("brief.md", "字".encode() * (MOST_CHARACTERS + 1), "20,001 characters"),
        ("brief.txt", b"\x00\x01\xff\xfe binary", "bytes that are not text"),
        ("brief.docx", b"no zip", "opens in Word"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError, match=words):
        read_document(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(b"%PDF")
    with pytest.raises(UserError, match=r"Got brief\.pdf but expected a brief as \.txt"):
        read_document(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "none.txt")


def test_zip_bombs_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "brief.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a>" + b" " * (21 * 2**20))
    assert path.stat().st_size < 100_000
    with pytest.raises(TableError, match="unpacks to at most 100 MB, 20 MB of it text"):
        read_document(path)


def test_entities_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    good = tmp_path / "good.docx"
    document = docx.Document()
    document.add_paragraph("MARK 预算30万")
    document.save(str(good))
    path = tmp_path / "brief.docx"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "word/document.xml":
                xml = data.decode()
                head, _, body = xml.partition("?>")
                kind = f'<!DOCTYPE d [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
                data = f"{head}?>{kind}{body.replace('MARK', '&e;')}".encode()
            new.writestr(name, data)
    try:
        text = read_document(path)
    except TableError:
        text = ""
    assert "SECRET" not in text
