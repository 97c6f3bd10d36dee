"""``bench``: a suite of questions, its runs, and the page that answers them."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Sequence

import typer

from ..errors import ConfigError, nearest
from .output import console, note, say
from .run import parse_seeds

if TYPE_CHECKING:
    from ..bench.suite import Suite
    from ..bench.suite_report import SuiteReport

HELP = """Run a suite: every row, split and seed that a question needs, then verdicts, figures and tables.

Runs that are finished for the same configuration, seed, data and version count, whatever suite made them, so that a
suite can be stopped and started at any time. A job that fails is told at the end (exit code 1), the others go on.

**Examples**

```text
recbole-medmoe bench hybrid
recbole-medmoe bench food --out leaderboard/food
recbole-medmoe bench food --splits warm,phrasing --seeds 0,1

two processes on one folder share their work:
recbole-medmoe bench food --splits warm & recbole-medmoe bench food --splits cold_patient

page and figures from kept evidence, nothing is run:
recbole-medmoe bench food --from leaderboard/food --html food.html
```
"""


def bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite that ships, or a YAML file of your own.")],
    runs_dir: Annotated[Path, typer.Option("--runs-dir", metavar="DIR", help="Where runs are kept.")] = Path("runs"),
    splits: Annotated[str, typer.Option("--splits", metavar="A,B", help="Only these splits of the suite.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", metavar="0,1", help="Only these seeds of the suite.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Run also what is finished; the newest run counts.")] = False,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="DIR", help="Write the evidence: compact records, page.html, README.md, figures.")] = None,
    source: Annotated[Path | None, typer.Option(
        "--from", metavar="DIR", help="Run nothing: read evidence that --out wrote.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")] = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write a Markdown file.")] = None,
) -> None:
    """Runs what is missing, then tells what the records show."""
    from ..bench.evidence import Reader, read_evidence, write_evidence
    from ..bench.jobs import make_plan
    from ..bench.pool import run_jobs
    from ..bench.suite import load_suites
    from ..bench.suite_report import make_report, write_suite
    from ..quick_start.finished import Pool

    suites, faults = load_suites(suite)
    failures = []
    if source is not None:
        if force or out is not None:
            faults.append("--from runs nothing and keeps the evidence as it is: leave --force and --out out")
        if faults:
            raise ConfigError(faults)
        suites = _narrowed(suites, splits, seeds)
        found = read_evidence(source, suites)
    else:
        suites = suites if faults else _narrowed(suites, splits, seeds)
        plan = make_plan(suites, faults)
        pool = Pool(runs_dir)
        failures = run_jobs(plan.jobs.values(), pool, force)
        found = plan.found(pool.get)
        if out is not None and any(seeds_ for cells in found.values() for seeds_ in cells.values()):
            write_evidence(out, suites, found)
            found = read_evidence(out, suites)
    if failures and not any(folders for cells in found.values() for folders in cells.values()):
        _tell_failures(failures)
    report = make_report(suites, found, Reader(suites))
    _print(report)
    for path in write_suite(report, out, html, md):
        say(f"written: {path}")
    _tell_failures(failures)


def _narrowed(suites: Sequence[Suite], splits: str, seeds: str) -> list[Suite]:
    """Suites with the splits and seeds asked for; those that have none of them are left out, and told.

    Raises:
        ConfigError: no suite has such a split or seed.
    """
    wanted = [word.strip() for word in splits.split(",") if word.strip()]
    numbers = parse_seeds(seeds, [])
    known = sorted({split for suite in suites for split in suite.splits})
    faults = [f"--splits: no split '{split}' in suite '{suites[0].name}'{nearest(split, known)}" for split in wanted
              if split not in known]
    if numbers is not None and not any(set(numbers) & set(suite.seeds) for suite in suites):
        faults.append(f"--seeds {seeds}: suite '{suites[0].name}' has the seeds "
                      + ", ".join(map(str, sorted({seed for suite in suites for seed in suite.seeds}))))
    if faults:
        raise ConfigError(faults)
    kept = [suite.narrowed(wanted or None, numbers) for suite in suites]
    empty = [suite.name for suite in kept if not suite.splits or not suite.seeds]
    if empty:
        note(f"nothing to do there: {', '.join(empty)}")
    return [suite for suite in kept if suite.splits and suite.seeds]


def _print(report: SuiteReport) -> None:
    from ..bench.terminal import print_section

    say(f"{report.title}\n{report.made}")
    for text in report.notes:
        say(f"Note: {text}")
    for finding in report.findings:
        say(f"\n{finding.suite.title}")
        if finding.suite.claim is not None:
            say(f"Claim: {finding.suite.claim.text} ({finding.suite.claim.source})")
            say(f"Verdict: {finding.answer.judged.verdict or 'nothing to judge'}")
        for text in (*finding.notes, *finding.answer.judged.sentences):
            say(f"  {text}")
    for section in report.sections:
        print_section(section, console())


def _tell_failures(failures: Sequence[object]) -> None:
    if failures:
        say(f"\n{len(failures)} job{'s' if len(failures) > 1 else ''} failed:")
        for failure in failures:
            say(f"  {failure}")
        raise typer.Exit(1)
