"""
Question texts as safe HTML.

Contract:
- `render()` gives HTML that may stand in a student's page whatever the text says: no script, no style, no event
  handler, no class and no id gets through, and no scheme but http, https and mailto (and `data:` for images).
- A text that is not empty never renders as nothing: where cleaning would leave nothing to see (an option `<html>` in
  a question about HTML), the source itself is shown.
- `sanitise()` is what an importer stores; sanitising twice changes nothing.
- Nothing is cached and nothing is raised, whatever the text is.

Not here: how a bank's own notation becomes one of the three formats (`importers/`).
"""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt

from exams.content import TextFormat

#: Presentation MathML. Without mtext, mglyph, malignmark and annotation-xml, through which cleaners have been fooled.
_MATHML_TAGS = {
    *("math", "mrow", "mi", "mn", "mo", "mspace", "msup", "msub", "msubsup", "mfrac", "msqrt", "mroot"),
    *("mover", "munder", "munderover", "mtable", "mtr", "mtd"),
}
_TAGS = _MATHML_TAGS | {
    *("p", "br", "hr", "div", "span", "blockquote", "pre", "code", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("b", "strong", "i", "em", "u", "s", "sub", "sup", "a", "img"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "math": {"display"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
#: A leading scheme. Browsers skip control characters and spaces inside it, so those are removed before looking.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20]+")
_IMAGE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*", re.IGNORECASE)
#: HTML drops one line end after <pre>; left in, each pass through the parser would take the next.
_PRE_START = re.compile(r"<pre>\n+")
_TAG = re.compile(r"<[^>]*>")
_SURROGATES = re.compile("[\ud800-\udfff]")
#: What can be seen though it holds no text.
_VISIBLE_TAGS = re.compile(r"<hr>|<img [^>]*(?:src|alt)=", re.IGNORECASE)

#: Raw HTML is off: who wants HTML says [html], and a markdown text shows its angle brackets.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def render(text: str, text_format: TextFormat) -> str:
    """Give *text*, written in *text_format*, as HTML that is safe to put into a page."""
    match text_format:
        case TextFormat.HTML:
            return sanitise(text)
        case TextFormat.MARKDOWN:
            text = _without_surrogates(text)
            return _clean_or_source(_MARKDOWN.render(text), source=text)
        case TextFormat.PLAIN:
            return _escape(_without_surrogates(text))


def sanitise(source: str) -> str:
    """Give the HTML *source* with all that is not allowed taken out, or escaped where nothing would be left to see."""
    source = _without_surrogates(source)
    return _clean_or_source(source, source=source)


def _clean_or_source(markup: str, *, source: str) -> str:
    cleaned = nh3.clean(
        markup,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter_attribute,
        url_schemes={"http", "https", "mailto", "data"},  # _filter_attribute keeps data: to images
        link_rel="noopener noreferrer",
    )
    cleaned = _PRE_START.sub("<pre>", cleaned)
    if _is_visible(cleaned):
        return cleaned
    if not source.strip():
        return ""
    return nh3.clean(_escape(source), tags={"br"})  # nothing to clean: it makes the spelling the one nh3 keeps


def _filter_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute not in ("src", "href"):
        return value
    compact = _IGNORED_IN_URLS.sub("", value)
    scheme = _SCHEME.match(compact)
    if scheme is None:
        return value
    allowed = ("http:", "https:") if attribute == "src" else ("http:", "https:", "mailto:")
    if scheme.group().lower() in allowed:
        return value
    return compact if attribute == "src" and tag == "img" and _IMAGE_DATA.fullmatch(compact) else None


def _is_visible(cleaned: str) -> bool:
    # In what nh3 wrote, every "<" outside a tag is escaped, so this finds whole tags.
    return bool(_VISIBLE_TAGS.search(cleaned) or html.unescape(_TAG.sub("", cleaned)).strip())


def _escape(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")  # NUL is not HTML
    return html.escape(text, quote=False).replace("\n", "<br>")


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair cannot be encoded: nh3 would raise, and so would the HTTP answer."""
    return _SURROGATES.sub("\ufffd", text)
