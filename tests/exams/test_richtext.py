from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exams.content import TextFormat
from exams.richtext import render, sanitise


class TestHtml:
    @pytest.mark.parametrize(
        "source",
        [
            "H<sub>2</sub>O and x<sup>2</sup>",
            "<p>a<br>b</p>",
            "<pre><code>if x &lt; 1:</code></pre>",
            '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>',
            '<img src="data:image/png;base64,AAAA" alt="a cell" width="20" height="10">',
            '<img src="/media/map.png">',
            '<img src="https://example.org/map.png">',
            '<math display="block"><mfrac><mn>1</mn><msqrt><mi>x</mi></msqrt></mfrac></math>',
            '<ol start="3"><li>c</li></ol>',
        ],
    )
    def test_what_school_questions_need_stays(self, source):
        assert sanitise(source) == source

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("<b onclick='x()' style='color:red' class='c' id='i'>b</b>", "<b>b</b>"),
            ("a<script>x()</script><style>*{}</style>", "a"),
            ("a<iframe src='//x'></iframe><form><input></form><svg onload=x()></svg>", "a"),
            ("<a href='javascript:x()'>a</a>", '<a rel="noopener noreferrer">a</a>'),
            ("<a href=' java\tscript:x()'>a</a>", '<a rel="noopener noreferrer">a</a>'),
            ("<a href='data:text/html,x'>a</a>", '<a rel="noopener noreferrer">a</a>'),
            ("a<img src='data:image/svg+xml;base64,AAAA' onerror=x()>", "a<img>"),
            ("a<img src='data:text/html;base64,AAAA'>", "a<img>"),
            ("a<!-- hidden -->", "a"),
            ("<h1>a</h1>", "a"),
        ],
    )
    def test_what_could_harm_is_taken_out(self, source, expected):
        assert sanitise(source) == expected

    def test_a_link_keeps_its_address(self):
        assert 'href="https://example.org/"' in sanitise('<a href="https://example.org/">a</a>')

    @pytest.mark.parametrize("source", ["<html>", "<body>", "<script>x()</script>", "<?xml version>", "<p></p>"])
    def test_a_text_of_which_nothing_would_be_seen_is_shown_as_it_was_written(self, source):
        assert render(source, TextFormat.HTML) == source.replace("<", "&lt;").replace(">", "&gt;")

    def test_an_empty_text_stays_empty(self):
        assert sanitise("") == ""


class TestMarkdown:
    def test_markdown_with_a_table(self):
        rendered = render("**a**\n\n| x |\n|---|\n| 1 |", TextFormat.MARKDOWN)
        assert "<strong>a</strong>" in rendered
        assert "<td>1</td>" in rendered

    def test_raw_html_is_shown_and_not_obeyed(self):
        assert render("<b>x</b>", TextFormat.MARKDOWN) == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"

    def test_a_dangerous_link_is_no_link(self):
        assert "<a" not in render("[a](javascript:x())", TextFormat.MARKDOWN)

    def test_a_text_of_which_nothing_would_be_seen_is_shown_as_it_was_written(self):
        assert render("[a]: b", TextFormat.MARKDOWN) == "[a]: b"


class TestPlain:
    def test_all_characters_are_shown_and_lines_are_kept(self):
        assert render('1 < 2 & "x"\r\n<b>', TextFormat.PLAIN) == '1 &lt; 2 &amp; "x"<br>&lt;b&gt;'


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


SOUP = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "<",
                    ">",
                    '"',
                    "'",
                    "&",
                    "&lt;",
                    "/",
                    "=",
                    " ",
                    "\n",
                    "`",
                    "](",
                    "![",
                    "*",
                    "|",
                    "\x00",
                    "\ud800",
                    "\xa0",
                ),
                *(
                    "<b>",
                    "</b>",
                    "<p>",
                    "<pre>",
                    "<math>",
                    "<mi>",
                    "</math>",
                    "<mtext>",
                    "<mglyph>",
                    "<svg>",
                    "<style>",
                ),
                *("<table>", "<td>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "<title>", "<noscript>"),
                *("<img src=", "<a href=", "javascript:", "data:text/html,", " onerror=x()", " style=x", "<html>"),
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)


class TestAnyText:
    @given(SOUP, st.sampled_from(TextFormat))
    def test_no_text_brings_anything_dangerous_into_the_page(self, text, text_format):
        parser = _Tags()
        parser.feed(render(text, text_format))
        for tag, attributes in parser.found:
            assert tag not in {"script", "style", "svg", "iframe", "mtext", "mglyph", "noscript", "title"}
            assert not [name for name in attributes if name.startswith("on") or name in {"style", "class", "id"}]
            url = attributes.get("href") or attributes.get("src") or ""
            assert not url.lower().startswith(("javascript:", "data:text"))

    @given(SOUP)
    @example("<pre>\n\nx</pre>")
    @example("\xa0")
    @example("&nbsp;")
    def test_sanitising_twice_changes_nothing(self, text):
        once = sanitise(text)
        assert sanitise(once) == once

    @given(SOUP.filter(str.strip), st.sampled_from(TextFormat))
    def test_a_text_that_is_not_empty_shows_something(self, text, text_format):
        assert render(text, text_format).strip()
