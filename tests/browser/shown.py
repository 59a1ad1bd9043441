"""
Everything that exam pages ever showed, kept over reloads, tabs and crashes.

Contract:
- `Shown(context)` watches every page of *context* that is opened after it. Each change of a cell of the grid or of the
  line of status arrives in Python in the order in which the page showed it, with the device's real time of that moment
  (also where a test has shifted the clock that the page's scripts see).
- A page reports within the same frame; what it showed in its last moments before a kill may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WATCH = """(() => {
    if (window.top !== window) return;
    const now = Date.now;
    const start = performance.timeOrigin;
    const last = new Map();
    const tell = (question, state, revision) => {
        const said = state + "/" + revision;
        if (last.get(question) === said) return;
        last.set(question, said);
        window.__shown({at: start + performance.now(), question, state, revision});
    };
    const look = () => {
        for (const cell of document.querySelectorAll("#grid [data-question]")) {
            tell(Number(cell.dataset.question), cell.dataset.state || "", Number(cell.dataset.revision || 0));
        }
        const line = document.querySelector("#status");
        if (line && line.dataset.kind) tell(0, line.dataset.kind, Number(line.dataset.waiting || 0));
    };
    const watch = () => {
        new MutationObserver(look).observe(document, {
            subtree: true, childList: true, attributes: true,
            attributeFilter: ["data-state", "data-revision", "data-kind", "data-waiting"],
        });
        look();
    };
    watch();
})();"""


@dataclass(frozen=True)
class Sight:
    """One moment: *question* 0 is the line of status, with how many wait as its *revision*. *at* is in Unix ms."""

    at: float
    question: int
    state: str
    revision: int


class Shown:
    """See the module's contract."""

    def __init__(self) -> None:
        self.sights: list[Sight] = []

    def hear(self, _source: Any, told: dict[str, Any]) -> None:
        """For `expose_binding`."""
        self.sights.append(Sight(told["at"], told["question"], told["state"], told["revision"]))

    def watch(self, context: Any) -> Shown:
        """Of Playwright's synchronous interface; with the other one await the two calls."""
        context.expose_binding("__shown", self.hear)
        context.add_init_script(WATCH)
        return self

    def saved(self) -> dict[tuple[int, int], float]:
        """(question, revision) -> when it was first shown as saved, in Unix ms."""
        first: dict[tuple[int, int], float] = {}
        for sight in self.sights:
            if sight.question and sight.state == "saved":
                first[sight.question, sight.revision] = min(sight.at, first.get((sight.question, sight.revision), 1e18))
        return first

    def kinds(self) -> list[str]:
        """What the line of status said, in order."""
        return [sight.state for sight in self.sights if sight.question == 0]
