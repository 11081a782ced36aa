"""The shell: history, completion, statements over several lines, and the few commands that no server sees."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ksqlkit import __version__
from ksqlkit.cli.output import fail, messages, tell
from ksqlkit.cli.session import Session
from ksqlkit.dialect.lexer import EOF, UNKNOWN, tokenize
from ksqlkit.errors import KsqlkitError, UserError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History

HELP = """Statements end with ; and may take several lines. Tab completes, Ctrl-R searches the history,
Ctrl-C ends a query or drops what is typed, Ctrl-D leaves.
  exit, quit              leave
  help, version, server   this text; versions; which server this is
  history, clear          what was typed before; clear the screen
  output [json | table]   how answers are shown
  run script 'FILE'       run the statements of a file
Any ksqlDB statement works: SHOW STREAMS; DESCRIBE X EXTENDED; PRINT 'topic' FROM BEGINNING; SET, DEFINE, ..."""


def is_complete(text: str) -> bool:
    """Whether a text ends with a statement's semicolon, outside of quotes and comments."""
    tokens = [t for t in tokenize(text).tokens if t.kind != EOF]
    if not tokens or tokens[-1].kind != ";":
        return False
    opened = any(t.kind == UNKNOWN and t.text in "'\"`" for t in tokens)
    comment = any(a.kind == "/" and b.kind == "*" and a.end == b.start for a, b in pairwise(tokens))
    return not opened and not comment


@dataclass(slots=True)
class Shell:
    """Reads lines and runs them in a session, until the user leaves."""

    session: Session
    where: str

    def run(self) -> None:
        """The shell's loop."""
        prompt = self._prompt()
        told = self.session.client.info()["version"]
        self.session.interactive = True
        tell(f"ksqlDB {told} at {self.where}. Statements end with ;  help lists commands.")
        while True:
            try:
                text = prompt.prompt("ksql> ").strip()
                if not self.execute(text, prompt.history):
                    return
            except KeyboardInterrupt:
                continue
            except EOFError:
                return

    def execute(self, text: str, history: History | None = None) -> bool:
        """Run what was typed; False where the user leaves. Errors are shown, and the shell goes on."""
        words = text.rstrip("; \t\n").split()
        command = _COMMANDS.get(words[0].lower()) if words else None
        try:
            if len(words) == 1 and words[0].lower() in ("exit", "quit"):
                return False
            if words and [w.lower() for w in words] == ["history"]:
                self._history(history)
            elif command and len(words) <= command[1]:
                command[0](self, words[1:])
            elif [w.lower() for w in words[:2]] == ["run", "script"] and not is_complete(text):
                self._statements(f"RUN SCRIPT '{_path(text)}';")
            elif words:
                self._statements(text)
        except KeyboardInterrupt:
            tell("Query terminated")
        except KsqlkitError as exc:
            fail(exc)
        return True

    def _statements(self, text: str) -> None:
        before, start = self.session.rows, time.perf_counter()
        self.session.run(text)
        shown = self.session.rows - before
        if shown:
            took = time.perf_counter() - start
            messages.print(f"{shown:,} row{'s' * (shown != 1)}, {took:.2f} s", style="dim", highlight=False)

    def _prompt(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.completion import ThreadedCompleter
        from prompt_toolkit.filters import Condition

        from ksqlkit.cli.completion import SqlCompleter

        made: PromptSession[str] = PromptSession(
            history=_open_history(),
            completer=ThreadedCompleter(SqlCompleter(self.session.client)),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            multiline=Condition(lambda: not _ends(made.default_buffer.text)),
            prompt_continuation="  ... ",
        )
        return made

    def _help(self, _: list[str]) -> None:
        tell(HELP)

    def _version(self, _: list[str]) -> None:
        told = self.session.client.info()["version"]
        tell(f"ksqlkit {__version__}; the server speaks for ksqlDB {told}")

    def _server(self, _: list[str]) -> None:
        tell(self.where)

    def _clear(self, _: list[str]) -> None:
        messages.clear()

    def _output(self, words: list[str]) -> None:
        if words and words[0].lower() not in ("json", "table", "tabular"):
            raise UserError(f"output is json or table, not {words[0]!r}")
        if words:
            self.session.json = words[0].lower() == "json"
        tell(f"Answers are shown as {'JSON' if self.session.json else 'tables'}.")

    def _history(self, history: History | None) -> None:
        for entry in history.get_strings() if history else ():
            tell(entry)


# name -> what it does, and of how many words it is at most: `version` alone is a command
_COMMANDS: dict[str, tuple[Callable[[Shell, list[str]], None], int]] = {
    "help": (Shell._help, 1),
    "version": (Shell._version, 1),
    "server": (Shell._server, 1),
    "clear": (Shell._clear, 1),
    "output": (Shell._output, 2),
}


def _ends(text: str) -> bool:
    """Whether Enter runs what is typed: whole statements, a command, or nothing."""
    words = text.lower().split()
    commands = {*_COMMANDS, "history", "exit", "quit"}
    return (
        not words
        or (words[0] in commands and len(words) <= 2)
        or words[:2] == ["run", "script"]
        or is_complete(text)
    )


def _path(text: str) -> str:
    """The file that RUN SCRIPT names, in quotes or not, with or without a semicolon."""
    try:
        words = shlex.split(text.rstrip("; \t\n"))
    except ValueError:
        raise UserError("The file's name has no closing quote", hint="run script 'FILE'") from None
    if len(words) != 3:
        raise UserError("run script takes one file", hint="run script 'FILE'")
    return os.path.expanduser(words[2]).replace("'", "''")


def _open_history() -> History:
    """The history file of the user's home, or one that forgets where that cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = Path.home() / ".ksqlkit_history"
    try:
        with path.open("ab"):
            path.chmod(0o600)  # statements may hold secrets
    except OSError:
        tell(f"{path} cannot be written: the history is kept for this session only.")
        return InMemoryHistory()
    return FileHistory(str(path))
