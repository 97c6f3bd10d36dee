"""What a terminal sees while a long query runs."""
from __future__ import annotations

import io
import sys

from recbole_medmoe.prepare.visits.session import rows
from recbole_medmoe.prepare.visits.watch import shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Query:
    """Stands for a session whose query has come some way."""

    def __init__(self, percent):
        self.percent = percent
        self.said = []

    def execute(self, statement, parameters=None):
        self.said.append(statement)

    def query_progress(self):
        return self.percent


def _terminal(monkeypatch):
    """Makes stderr a terminal; in the test itself, since pytest sets stderr anew after the fixtures."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    return made


def test_a_terminal_sees_how_far_the_query_has_come(monkeypatch):
    terminal = _terminal(monkeypatch)
    with shown(Query(42.3), True):
        pass
    assert "42 % of this step" in terminal.getvalue()


def test_nothing_is_drawn_where_duckdb_cannot_tell(monkeypatch):
    terminal = _terminal(monkeypatch)
    with shown(Query(-1.0), True):
        pass
    assert "%" not in terminal.getvalue()


def test_a_pipe_sees_nothing_and_duckdb_counts_nothing(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    query = Query(42.3)
    with shown(query, True):
        pass
    assert pipe.getvalue() == "" and query.said == []


def test_nothing_is_shown_unless_wanted(monkeypatch):
    terminal = _terminal(monkeypatch)
    with shown(Query(42.3), False):
        pass
    assert terminal.getvalue() == ""


def test_a_real_session_is_asked_while_it_works(monkeypatch, session, capsys):
    _terminal(monkeypatch)
    with shown(session, True):
        assert rows(session, "SELECT current_setting('enable_progress_bar'), "
                             "current_setting('enable_progress_bar_print')") == [(True, False)]
        assert rows(session, "SELECT sum(n) FROM range(1000000) t(n)") == [(499999500000,)]
    assert capsys.readouterr().out == ""
