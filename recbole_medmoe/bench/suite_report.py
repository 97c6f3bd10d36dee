"""What a suite's runs show: the page, a README with figures as files, and lines for the terminal."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ..errors import RecordError
from ..quick_start.folds import FOLDS, join_folds
from ..quick_start.stored import StoredRun
from ..version import __version__
from .figures import Figure
from .findings import Finding, find
from .jobs import Cell
from .reading import section_of, set_apart
from .latex import render_latex
from .report import environment, markdown_lines, markdown_table, router_figures, router_lines, write_files
from .results import Results
from .routers import Routers, routers_of
from .sections import Section
from .suite import Suite
from .tables import section_tables
from .tidy import render_csv

Found = Mapping[str, Mapping[Cell, Mapping[int, Path]]]
_AGAIN = ("Runs that are finished for the same configuration, seed, data and version are not made again; page and "
          "figures are made from the records beside them by bench {name} --from DIR.")


@dataclass(frozen=True)
class SuiteReport:
    """Answers and tables of a suite and of those that it includes.

    Attributes:
        made: versions and counts of the runs behind it.
        notes: what is missing in the tables.
        routers: of models that have some, by the name of a suite with an answer; tables have their own.
    """

    suite: Suite
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]
    made: str
    notes: tuple[str, ...]
    routers: Mapping[str, tuple[Routers, ...]]

    @property
    def figures(self) -> dict[str, Figure]:
        """File name to figure of all that the README shows."""
        found = {f"{finding.suite.name}.svg": finding.answer.figure for finding in self.findings
                 if finding.answer.figure is not None}
        for stem, routers in [*self.routers.items(), *((section.anchor, section.routers) for section in self.sections)]:
            found |= router_figures(routers, stem)
        return found

    @property
    def name(self) -> str:
        """Name of the suite."""
        return self.suite.name

    @property
    def title(self) -> str:
        """Title of the suite."""
        return self.suite.title

    @property
    def question(self) -> str:
        """Question of the suite."""
        return self.suite.question

    @property
    def command(self) -> str:
        """What makes it all again."""
        return " ".join(filter(None, ("recbole-medmoe bench", self.name, self.suite.part, "--out DIR")))

    @property
    def again(self) -> str:
        """What that command does."""
        return _AGAIN.format(name=self.name)


def make_report(suites: Sequence[Suite], found: Found, read: Callable[[Path], StoredRun]) -> SuiteReport:
    """Puts together what is finished; what is not is named.

    Args:
        suites: the suite asked for, then those that it includes.
        found: suite's name to cell to seed to run folder.
        read: gives the run of a folder.

    Raises:
        RecordError: no run at all.
        DataError: runs that can not be compared.
    """
    folders = sorted({folder for cells in found.values() for seeds in cells.values() for folder in seeds.values()})
    if not folders:
        raise RecordError(f"suite '{suites[0].name}': not one of its runs is finished, so there is nothing to show")
    every = [Results(suite, found[suite.name], read) for suite in suites]
    findings = tuple(find(results) for results in every if results.suite.figure != "others")
    tables = [results for results in every if results.suite.has_tables]
    sections = tuple(set_apart([
        replace(section, suite=results.suite.title if len(tables) > 1 else "",
                routers=section.routers if results.suite.figure == "tables" else ())   # others have them in the answer
        for results in tables for section in _sections(results)]))
    runs = [read(folder).record for folder in folders]
    versions = sorted({record["code"]["version"] for record in runs})
    commits = {record["code"]["commit"] for record in runs if record["code"]["commit"]}
    dirty = sum(bool(record["code"]["dirty"]) for record in runs)
    made = (f"{len(runs)} runs, version {', '.join(versions)}"
            + (f" at {len(commits)} commit{'s' if len(commits) > 1 else ''}" if commits else "")
            + (f", {dirty} of them with changes that were not committed" if dirty else "")
            + f"; page by recbole_medmoe {__version__}.")
    part = (f"a part of the suite ({suites[0].part}): its verdicts speak of that part alone",) if suites[0].part else ()
    notes = part + tuple(note for finding in findings if finding.suite.figure == "tables" for note in finding.notes)
    return SuiteReport(suites[0], tuple(finding for finding in findings if finding.suite.figure != "tables"),
                       sections, made, notes, {results.suite.name: _routers(results) for results in every
                                               if results.suite.figure not in ("tables", "others")})


def _routers(results: Results) -> tuple[Routers, ...]:
    """Of each row with routers under each condition; conditions are named where there are several."""
    told = [name for name in Cell._fields[1:] if len({getattr(cell, name) for cell in results.found}) > 1]
    runs = {", ".join([cell.row, *(str(getattr(cell, name)) for name in told)]): results.runs(cell)
            for cell in results.found}
    return routers_of({name: made for name, made in runs.items() if made})


def _sections(results: Results) -> list[Section]:
    """One table per split, of the rows whose seeds are all there."""
    suite, made = results.suite, []
    by_row = {label: join_folds([run for cell in results.found if cell.row == label for run in results.runs(cell)])
              for label in suite.rows}
    for split in [*suite.splits, FOLDS]:
        labelled = [(label, run) for label, runs in by_row.items() for run in runs
                    if split in ("", run.record["data"]["split"])]
        if labelled:
            names = [label for label, _ in labelled]
            reference = suite.reference if suite.reference in names else names[0]
            apart = [label for label, row in suite.rows.items()
                     if row.splits is not None and split not in row.splits and label not in names]
            notes = [f"Rows that are not made on this split: {'; '.join(apart)}."] if apart else []
            made.append(section_of([run for _, run in labelled], names, str(reference), notes))
    return made


def render_page(report: SuiteReport, place: Path) -> str:
    """One page for the folder ``place``, from which it links to records; it refers to no network."""
    return str(environment(place).get_template("suite.html.j2").render(report=report).lstrip())


def render_readme(report: SuiteReport, figures: bool) -> str:
    """The page in Markdown: verdicts, sentences and the table of each split.

    Args:
        figures: whether the figures lie beside it as files.
    """
    lines = [f"# {report.title}", "", report.question, "", report.made]
    lines += [f"\n> {note}" for note in report.notes]
    claims = [finding for finding in report.findings if finding.suite.claim is not None]
    if claims:
        lines += ["", *markdown_table(("Question", "Claim", "Verdict"), [
            (finding.suite.title, finding.suite.claim.text if finding.suite.claim else "",
             f"**{finding.answer.judged.verdict or 'nothing to judge'}**") for finding in claims], numbers=False)]
    for finding in report.findings:
        lines += ["", f"## {finding.suite.title}", "", finding.suite.question]
        if finding.suite.claim is not None:
            verdict = finding.answer.judged.verdict or "nothing to judge"
            lines += ["", f"> {finding.suite.claim.text} ({finding.suite.claim.source})", "", f"**{verdict[:1].upper()}"
                      f"{verdict[1:]}.**"]
        lines += ["", *(f"> {note}" for note in finding.notes)] if finding.notes else []
        if figures and finding.answer.figure is not None:
            lines += ["", f"![{finding.answer.caption}]({finding.suite.name}.svg)"]
        lines += ["", *(f"- {sentence}" for sentence in finding.answer.judged.sentences)]
        lines += router_lines(report.routers[finding.suite.name], finding.suite.name if figures else None)
    for section in report.sections:
        lines += ["", f"## {section.title}", "", section.headline]
        for table in section_tables(section):
            lines += markdown_lines(table) if table.kind in ("results", "groups") else []
        lines += router_lines(section.routers, section.anchor if figures else None)
    return "\n".join([*lines, "", "## Make this again", "", f"`{report.command}`", "", report.again]) + "\n"


def write_suite(report: SuiteReport, out: Path | None = None, html: Path | None = None, md: Path | None = None,
                csv: Path | None = None, tex: Path | None = None) -> list[Path]:
    """Writes ``page.html``, ``README.md`` and its figures into ``out``, and the files named.

    ``md`` shows the figures where they lie beside it, and draws them again.
    """
    contents: dict[Path, str] = {}
    figures = report.figures
    if out is not None:
        contents = {out / "page.html": render_page(report, out), out / "README.md": render_readme(report, figures=True)}
        contents |= {out / name: figure.standalone() for name, figure in figures.items()}
        for stale in set(out.glob("*.svg")) - set(contents):
            stale.unlink()   # of a suite that has no answer any more
    if html is not None:
        contents[html] = render_page(report, html.parent)
    if md is not None:
        beside = any((md.parent / name).is_file() for name in figures)
        contents[md] = render_readme(report, figures=beside)
        contents |= {md.parent / name: figure.standalone() for name, figure in figures.items()} if beside else {}
    if csv is not None:
        contents[csv] = render_csv(report.sections)
    if tex is not None:
        contents[tex] = render_latex(report.sections)
    return write_files(contents)
