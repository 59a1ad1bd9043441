import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.content_problems import problems
from exams.importers import base
from exams.importers.base import ImportFormatError, detect_format, parse, read_bank

AIKEN = "Which {one}?\nA. x\nB. y\nANSWER: A\n"
GIFT = "::Q:: Which one? {=x ~y}\n"


@pytest.fixture
def bank(tmp_path):
    def write(raw: bytes):
        path = tmp_path / "bank.txt"
        path.write_bytes(raw)
        return path

    return write


class TestReadBank:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_a_text_is_read_however_it_was_saved(self, bank, encoding):
        assert read_bank(bank("“Café” … ½".encode(encoding))) == "“Café” … ½"

    def test_big_endian_utf_16_is_read(self, bank):
        assert read_bank(bank(codecs.BOM_UTF16_BE + "Q {T}".encode("utf-16-be"))) == "Q {T}"

    def test_all_line_ends_become_newlines(self, bank):
        assert read_bank(bank(b"a\r\nb\rc\n")) == "a\nb\nc\n"

    def test_a_text_in_no_known_encoding_is_refused_with_its_line(self, bank):
        with pytest.raises(ImportFormatError, match=r"bank\.txt, line 3: .*UTF-8"):
            read_bank(bank(b"a\nb\n\x81\xff\n"))

    @pytest.mark.parametrize("raw", [b"PK\x03\x04\x00\x00word/document.xml", b"Q\x00\x00"])
    def test_what_is_no_text_is_refused(self, bank, raw):
        with pytest.raises(ImportFormatError, match="not a text file"):
            read_bank(bank(raw))

    def test_damaged_utf_16_is_refused(self, bank):
        with pytest.raises(ImportFormatError, match="damaged"):
            read_bank(bank(codecs.BOM_UTF16_LE + b"\x00\xd8\x41"))

    def test_a_file_that_is_too_large_is_refused(self, bank, monkeypatch):
        monkeypatch.setattr(base, "MAX_BANK_BYTES", 1024 * 1024)
        with pytest.raises(ImportFormatError, match="larger than 1 MiB"):
            read_bank(bank(b"x" * (1024 * 1024 + 1)))


class TestDetectFormat:
    @pytest.mark.parametrize(
        "text",
        [GIFT, "Q {T}", "Q {\n=a\n~b}", "Q {}", "$CATEGORY: x\n\nText only", "JAWABAN: A ya? {=A ~B}\n\nQ {#1}"],
    )
    def test_gift(self, text):
        assert detect_format(text) == "gift"

    @pytest.mark.parametrize("text", [AIKEN, "Q\na) x\nb) y\n answer : b", AIKEN + "How?\nA. {T}\nB. y\nANSWER: B"])
    def test_aiken(self, text):
        assert detect_format(text) == "aiken"

    @pytest.mark.parametrize("text", ["", "Dear colleague,\n\nplease {find} enclosed", "ANSWER: everything"])
    def test_neither_is_refused(self, text):
        with pytest.raises(ImportFormatError, match="neither GIFT"):
            detect_format(text)

    def test_moodle_xml_is_refused_by_name(self):
        with pytest.raises(ImportFormatError, match="Moodle XML"):
            detect_format('\n<?xml version="1.0"?>\n<quiz></quiz>')


class TestParse:
    def test_the_format_is_found_out(self):
        assert len(parse(GIFT).questions) == len(parse(AIKEN).questions) == 1

    def test_a_named_format_is_not_found_out(self):
        assert len(parse("A text for all.", "gift").questions) == 1
        assert len(parse(GIFT, "aiken").bad) == 1

    def test_byte_order_mark_and_foreign_line_ends_do_no_harm(self):
        result = parse("\ufeff" + (GIFT + "\nR {T}").replace("\n", "\r\n"))
        assert [question.line for question in result.questions] == [1, 3]

    def test_a_text_with_too_many_lines_is_refused(self):
        with pytest.raises(ImportFormatError, match="1,000,000 lines"):
            parse("\n" * 1_000_001, "gift")


#: Mostly what means something to a parser, so that random texts get deep into it.
PIECES = st.one_of(
    st.sampled_from(
        [
            *("{", "}", "=", "~", "#", "####", "%50%", "%", "->", "::", ":", "..", "\\", "\n", "\n\n", " ", "//"),
            *("$CATEGORY:", "[html]", "[markdown]", "[moodle]", "<pre>", "</pre>", "<b>", "<html>", "&#60;"),
            *("A.", "B)", "ANSWER:", "A", "B", "T", "F", "1", "-", "e9", "x", "\ud800", "\x00", "\u2028"),
        ]
    ),
    st.text(max_size=3),
)

HOSTILE = [
    *("{", "}", "{=", "{}\n\n", "{=a\n\n", "<pre>\n\n", "::", "::a\n", "\\", "%", "#", "~=", "-> ", " ", " \n", "{ "),
    *("\n\n=", "$CATEGORY:\n", "A. x\n", "ANSWER:   ", "x\n\n", "=%1", "&#", "} \n", "[html]", "//\n"),
]


class TestAnyText:
    @given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from(["gift", "aiken"]))
    def test_nothing_is_raised_and_what_is_given_back_is_usable(self, text, fmt):
        result = parse(text, fmt)
        lines = text.count("\n") + text.count("\r") + 1
        for question in result.questions:
            assert problems(question.content) == []
            question.category.encode()
            assert 1 <= question.line <= lines
        for bad in result.bad:
            assert bad.reason
            (bad.reason + bad.name).encode()
            assert 1 <= bad.line <= lines

    @given(st.text())
    def test_a_text_of_any_characters_is_parsed_or_refused(self, text):
        parse(text, "gift")
        parse(text, "aiken")

    # Quadratic time would take minutes for that many characters.
    @pytest.mark.timeout(30)
    @pytest.mark.parametrize("fmt", ["gift", "aiken"])
    @pytest.mark.parametrize("piece", HOSTILE)
    def test_hostile_texts_take_time_in_proportion_to_their_length(self, piece, fmt):
        many = piece * (100_000 // len(piece))
        parse(many, fmt)
        parse(f"Q {{={many}}}", fmt)
