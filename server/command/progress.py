"""Shows the progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class RunProgress:
    """Draws the states of a run; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._said: dict[str, int] = {}
        self._progress = Progress(
            TextColumn("  {task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> RunProgress:
        self._progress.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.__exit__(*error)

    def show(self, run: dict[str, Any]) -> None:
        """Show a state of the run."""
        for stage in run["progress"]:
            if self._console.is_terminal:
                self._draw(stage)
            else:
                self._say(stage)

    def _draw(self, stage: dict[str, Any]) -> None:
        name = stage["stage"]
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=stage["total"], left="")
        self._progress.update(self._bars[name], completed=stage["done"], total=stage["total"], left=_left(stage))

    def _say(self, stage: dict[str, Any]) -> None:
        """Print a line for each tenth only, so that a log stays readable."""
        tenth = 10 * stage["done"] // max(stage["total"] or 1, 1)
        if self._said.get(stage["stage"]) != tenth:
            self._said[stage["stage"]] = tenth
            self._console.print(f"  {stage['stage']}: {stage['done']} of {stage['total'] or 'unknown'}")


def _left(stage: dict[str, Any]) -> str:
    """Return the remaining time as text; empty if it is unknown or under a second."""
    seconds = stage.get("remainingSeconds")
    return f"about {seconds:.0f} s left" if seconds and seconds >= 1 else ""
