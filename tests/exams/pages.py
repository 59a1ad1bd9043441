"""The students' pages as a browser without scripts sees them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, str | None]


class PageText(HTMLParser):
    """A page taken apart: every element with its attributes, and the text of the elements that have an id."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.html: str = response.content.decode()
        self.elements: list[tuple[str, Attributes]] = []
        self._open: list[tuple[str, str | None]] = []
        self._texts: dict[str, str] = {}
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "input" and any(name == "label" for name, _id in self._open):
            attributes["in-label"] = ""
        self.elements.append((tag, attributes))
        if tag not in ("br", "input", "link", "meta", "use", "path"):
            self._open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _tag, name in self._open:
            if name:
                self._texts[name] = self._texts.get(name, "") + data

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]

    def by_id(self, name: str) -> Attributes | None:
        """The attributes of the element with this id, or None."""
        return next((attributes for _tag, attributes in self.elements if attributes.get("id") == name), None)

    def text(self, name: str) -> str:
        """What stands in the element with this id, spaces made one; empty where there is none."""
        return " ".join(self._texts.get(name, "").split())

    @property
    def boot(self) -> Any:
        return json.loads(self._texts["boot"])

    @property
    def links(self) -> set[str | None]:
        return {attributes.get("href") for attributes in self.all("a")}

    def problems(self) -> list[str]:
        """What no page of ours may have."""
        found = []
        if not (self.all("html")[0].get("lang")):
            found.append("no language")
        if len(self.all("h1")) != 1:
            found.append("not one h1")
        found += [
            "an inline script" for a in self.all("script") if not a.get("src") and a["type"] != "application/json"
        ]
        found += [f"an inline style at {tag}" for tag, a in self.elements if "style" in a or tag == "style"]
        found += [f"{name} on {tag}" for tag, a in self.elements for name in a if re.match(r"on[a-z]", name)]
        ids = [attributes["id"] for _tag, attributes in self.elements if attributes.get("id")]
        found += [f"{name} twice" for name in set(ids) if ids.count(name) > 1]
        labels = {attributes.get("for") for attributes in self.all("label")}
        inputs = [attributes for attributes in self.all("input") if attributes.get("type") != "hidden"]
        found += [f"no label for {a}" for a in inputs if a.get("id") not in labels and "in-label" not in a]
        for _tag, attributes in self.elements:
            for name in ("aria-describedby", "aria-labelledby"):
                found += [f"{name}={other}" for other in (attributes.get(name) or "").split() if other not in ids]
        return found
