"""``bench``: a suite of questions, its runs, and the page that answers them."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Mapping, Sequence

import typer

from ..errors import ConfigError, nearest
from .engines import EngineOption, GpusOption, JobsOption, SchedulerOption, make_engine
from .output import PROGRAM, console, note, say
from .run import parse_seeds

if TYPE_CHECKING:
    from ..bench.engine import Engine, Failure
    from ..bench.evidence import Found
    from ..bench.jobs import Job, Plan
    from ..bench.suite import Suite
    from ..bench.suite_report import SuiteReport
    from ..quick_start.finished import Pool

HELP = """Run a suite: every row, split and seed that a question needs, then verdicts, figures and tables.

Runs that are finished for the same configuration, seed, data and version count, whatever suite made them, so that a
suite can be stopped and started at any time. Each job is a process of its own. Jobs that fail are told at the end with
their logs (exit code 1), the others go on.

**Examples**

```text
recbole-medmoe bench hybrid
recbole-medmoe bench food --out leaderboard/food
recbole-medmoe bench food --splits warm,phrasing --seeds 0,1

every row tuned first, on validation, with the same number of trials:
recbole-medmoe bench hybrid --tune 20

one job at a time on each GPU; four at once on the CPU; on the workers of a Dask cluster:
recbole-medmoe bench food --gpus auto
recbole-medmoe bench food --jobs 4
recbole-medmoe bench food --engine dask --scheduler tcp://host:8786

every eighth job, for the third of eight tasks of a job array over one folder:
recbole-medmoe bench food --shard 3/8

page and figures from kept evidence, nothing is run:
recbole-medmoe bench food --from leaderboard/food --html food.html
```
"""


def bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite that ships, or a YAML file of your own.")],
    runs_dir: Annotated[Path, typer.Option("--runs-dir", metavar="DIR", help="Where runs are kept.")] = Path("runs"),
    splits: Annotated[str, typer.Option("--splits", metavar="A,B", help="Only these splits of the suite.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", metavar="0,1", help="Only these seeds of the suite.")] = "",
    force: Annotated[bool, typer.Option(
        "--force/--resume", help="Run also what is finished, the newest run counts; else what is missing.")] = False,
    engine: EngineOption = "local",
    scheduler: SchedulerOption = "",
    gpus: GpusOption = "",
    jobs: JobsOption = 1,
    shard: Annotated[str, typer.Option(
        "--shard", metavar="I/N", help="Only every N-th job, from the I-th on (1 to N); no page is made.")] = "",
    tune: Annotated[int | None, typer.Option(
        "--tune", metavar="N", help="First search every row's parameters on validation, N trials each; over the "
        "suite's own number.")] = None,
    profile: Annotated[bool, typer.Option(
        "--profile", help="Each run also leaves a trace of its first steps (trace.json.gz).")] = False,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="DIR", help="Write the evidence: compact records, page.html, README.md, figures.")] = None,
    source: Annotated[Path | None, typer.Option(
        "--from", metavar="DIR", help="Run nothing: read evidence that --out wrote.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")] = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write a Markdown file.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the tables' numbers as CSV.")] = None,
    tex: Annotated[Path | None, typer.Option("--tex", metavar="FILE", help="Write LaTeX tables.")] = None,
) -> None:
    """Runs what is missing, then tells what the records show."""
    from ..bench.evidence import read_evidence
    from ..bench.suite import load_suites
    from ..quick_start.finished import Pool

    suites, faults = load_suites(suite)
    failures: list[Failure] = []
    files = {"html": html, "md": md, "csv": csv, "tex": tex}
    made = {"--out": out, **{f"--{name}": path for name, path in files.items()}, "--from": source}
    part = _part(shard, faults, [name for name, value in made.items() if value is not None])
    if not faults and (csv or tex) and not any(suite.has_tables for suite in suites):
        faults.append(f"--csv, --tex: suite '{suites[0].name}' has no tables of models; its numbers are on the page "
                      "(--html) and in Markdown (--md)")
    if source is not None:
        if force or profile or gpus or scheduler or jobs != 1 or out is not None or tune is not None:
            faults.append("--from runs nothing and keeps the evidence as it is: leave --force and --out out, and "
                          "whatever says how to run")
        if faults:
            raise ConfigError(faults)
        suites = _narrowed(suites, splits, seeds)
        found = read_evidence(source, suites)
    else:
        where = make_engine(engine, scheduler, gpus, jobs, runs_dir)
        suites = _budgeted(suites if faults else _narrowed(suites, splits, seeds), tune, faults)
        pool = Pool(runs_dir)
        plan, wanted, failures = _run(suites, faults, pool, where, part, force, profile)
        if part is not None:
            missing = sum(pool.get(key) is None for key in plan.jobs)
            done = sum(pool.get(job.key) is not None for job in wanted)
            say(f"Shard {shard}: {done} of its {len(wanted)} jobs are finished; of the whole suite "
                f"{missing} of {len(plan.jobs)} are missing. When all are there: {PROGRAM} bench {suite}")
            _tell_failures(failures)
            return
        found = plan.found(pool.get)
    _show(suites, found, failures, None if source else out, files)


def _run(suites: Sequence[Suite], faults: Sequence[str], pool: Pool, where: Engine, part: tuple[int, int] | None,
         force: bool, profile: bool) -> tuple[Plan, list[Job], list[Failure]]:
    """Searches what is to be searched, then runs what is missing; gives the plan, the jobs of it that were asked for,
    and what failed."""
    from ..bench.jobs import make_plan
    from ..bench.pool import run_jobs, shard_of
    from ..bench.searches import needed_searches, run_searches

    plan = make_plan(suites, faults)
    failures: list[Failure] = []
    with where:
        if any(suite.search is not None for suite in suites):
            tuned, failures = run_searches(needed_searches(suites, pool.folder), where, note)
            plan = make_plan(suites, tuned=tuned)
        wanted = list(plan.jobs.values()) if part is None else shard_of(list(plan.jobs.values()), *part)
        failures += run_jobs(wanted, pool, where, force, profile)
    return plan, wanted, failures


def _show(suites: Sequence[Suite], found: Found, failures: Sequence[Failure], out: Path | None,
          files: Mapping[str, Path | None]) -> None:
    """Prints what the runs tell, writes the pages asked for, and ends with what failed."""
    from ..bench.evidence import Reader, read_evidence, write_evidence
    from ..bench.suite_report import make_report, write_suite

    if not any(seeds for cells in found.values() for seeds in cells.values()):
        _tell_failures(failures)   # nothing else there is
    elif out is not None:
        write_evidence(out, suites, found)
        found = read_evidence(out, suites)
    report = make_report(suites, found, Reader(suites))
    _print(report)
    for path in write_suite(report, out, **files):
        say(f"written: {path}")
    _tell_failures(failures)


def _part(shard: str, faults: list[str], pages: Sequence[str]) -> tuple[int, int] | None:
    """``"3/8"`` to numbers; None where all jobs are meant. What is wrong with it goes to ``faults``."""
    if not shard:
        return None
    number, slash, count = shard.partition("/")
    if not slash or not (number.isdecimal() and count.isdecimal()) or not 1 <= int(number) <= int(count):
        faults.append(f"--shard {shard}: write I/N with I from 1 to N, e.g. --shard 3/8")
        return None
    if pages:
        faults.append(f"--shard runs jobs and makes no page: leave {', '.join(pages)} out, and ask for it when all "
                      "shards are done")
    return int(number), int(count)


def _budgeted(suites: Sequence[Suite], trials: int | None, faults: list[str]) -> list[Suite]:
    """Suites whose rows are searched with as many trials as ``--tune`` asks for."""
    from ..bench.suite import SearchBudget

    if trials is None:
        return list(suites)
    if trials < 1:
        faults.append(f"--tune {trials}: a whole number from 1")
        return list(suites)
    return [suite.model_copy(update={"search": (suite.search or SearchBudget(trials=trials)).model_copy(
        update={"trials": trials})}) if suite.rows else suite for suite in suites]


def _narrowed(suites: Sequence[Suite], splits: str, seeds: str) -> list[Suite]:
    """Suites with the splits and seeds asked for; those that have none of them are left out, and told.

    Raises:
        ConfigError: no suite has such a split or seed.
    """
    wanted = [word.strip() for word in splits.split(",") if word.strip()]
    numbers = parse_seeds(seeds, [])
    known = sorted({split for suite in suites for split in suite.splits if split})
    faults = [f"--splits: no split '{split}' in suite '{suites[0].name}'{nearest(split, known)}" for split in wanted
              if split not in known]
    if numbers is not None and not any(set(numbers) & set(suite.seeds) for suite in suites):
        faults.append(f"--seeds {seeds}: suite '{suites[0].name}' has the seeds "
                      + ", ".join(map(str, sorted({seed for suite in suites for seed in suite.seeds}))))
    if faults:
        raise ConfigError(faults)
    kept = [suite.narrowed(wanted or None, numbers) for suite in suites]
    empty = [suite.name for suite in kept if suite.rows and not (suite.splits and suite.seeds)]
    if empty:
        note(f"nothing to do there: {', '.join(empty)}")
    return [suite for suite in kept if suite.name not in empty]


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
