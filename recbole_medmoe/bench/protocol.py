"""How the numbers came about, in sentences: taken from the record, so that they cannot say what was not done."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..evaluation import Comparison
from .numbers import count
from .sections import label

NOTHING_TO_SET = "nothing to set"


def protocol_sentences(record: Mapping[str, Any], comparison: Comparison | None, models: int) -> tuple[str, ...]:
    """Data, ranking, choice, statistics and warnings of a section.

    Args:
        record: of the reference's first run.
        comparison: None where metrics have no values per row.
        models: how many are compared.
    """
    data, config, scored = record["data"], record["model"]["config"], record["evaluation"]["test_scored"]
    rows = data["rows"]
    parts = f"{count(rows['train'])} training, {count(rows['valid'])} validation and {count(rows['test'])} test"
    sets, statistics = config.get("task") == "medication", data["statistics"]
    subjects = "patients" if sets else "questions" if config.get("task") == "choice" else "users"
    who = f"{count(data['users'])} " + (f"visits of {count(statistics['patients'])} patients" if sets else subjects)
    sentences = [f"{who}, {count(data['items'])} {'medications' if sets else 'items'}; {parts} interactions; content "
                 f"{str(data['sha256'])[:12]}."]
    sentences.append(_split(data, config))
    sentences += _sets(config, statistics) if sets else [_ranking(config)]
    times = "once" if scored == 1 else f"{scored} times"
    chosen = label(config["valid_metric"].lower())
    if "joint" in record["run"]:
        beside = ", ".join(one["dataset"] for one in record["run"]["joint"] if one["dataset"] != data["name"])
        chosen = f"the mean over data sets ({chosen} here; trained together with {beside})"
    sentences.append(f"The best epoch was chosen on validation by {chosen}; each run was scored on test {times}.")
    if comparison is None:
        return tuple(sentences)
    drawn = f"{count(comparison.clusters)} {subjects} are drawn {count(comparison.draws)} times"
    sentences.append(f"Every metric has a value for each of {count(comparison.rows)} test rows; seeds are averaged per "
                     f"row first, then {drawn}: percentile intervals of {comparison.level:.0%}.")
    if models > 1:
        sentences.append(f"Differences are paired by row; p comes from the same bootstrap, adjusted by Holm over "
                         f"{models - 1} comparison{'s' if models > 2 else ''} on {label(comparison.primary)}. "
                         "“No difference shown” does not mean equal.")
    return tuple(sentences)


def search_sentence(by_name: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    """How the rows of a table were tuned, and whether alike; None where none was.

    Args:
        by_name: label to the records of its runs.
    """
    budgets = {name: sorted({budget(record["training"]["search"]) for record in records})
               for name, records in by_name.items()}
    if all(found == [""] for found in budgets.values()):
        return None
    tuned = {found[0] for found in budgets.values() if found != [NOTHING_TO_SET]}
    if len(tuned) == 1 and all(len(found) == 1 for found in budgets.values()):
        plain = [name for name, found in budgets.items() if found == [NOTHING_TO_SET]]
        apart = f"; {', '.join(plain)}: {NOTHING_TO_SET}" if plain else ""
        return f"The parameters of every row were searched on validation: {tuned.pop()}{apart}."
    told = "; ".join(f"{name}: {' and '.join(part or 'not tuned' for part in found)}"
                     for name, found in budgets.items())
    return f"The rows were not tuned alike, which favours those with more trials. {told}."


def budget(searched: Mapping[str, Any] | None) -> str:
    """What ``training.search`` of a record allowed; '' where nothing was searched."""
    if searched is None:
        return ""
    if not searched["trials"]:
        return NOTHING_TO_SET
    minutes = searched.get("minutes")
    bound = f"{minutes:g} minutes" if minutes else f"{searched['trials']} trials"
    return f"{bound}, {searched.get('algorithm', 'some search')}"


def _split(data: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    told = data.get("statistics", {}).get("split_description")
    if data["split"]:
        return f"Split “{data['split']}”, fixed in files" + (f": {told.rstrip('.')}." if told else ".")
    arguments = config["eval_args"]
    shares = ", ".join(f"{key} {value}" for key, value in arguments["split"].items())
    return f"RecBole's own split: {shares}, order {arguments['order']}, grouped by {arguments['group_by']}."


def _sets(config: Mapping[str, Any], statistics: Mapping[str, Any]) -> list[str]:
    """How visits are scored and made into sets."""
    asked = config["set_threshold"]
    told = ("tuned once on validation, after training and by one rule for all models: the largest mean Jaccard"
            if asked == "tuned" else f"the probability {asked}, as the protocol asked for has it")
    scored = "Every patient's last visit" if config["target_visits"] == "last" else "Every visit"
    sentences = [f"{scored} is scored against all medications; none is masked. A set is what scores at or above a "
                 f"threshold, {told}."]
    if isinstance(statistics.get("ddi"), Mapping):
        sentences.append("DDI rates: interacting pairs over all pairs of the sets of all visits together, by a list "
                         f"of {count(statistics['ddi']['pairs'])} pairs (SHA-256 {statistics['ddi']['sha256'][:12]}).")
    if config.get("protocol"):
        sentences.append(f"Keys of the published protocol “{config['protocol']}”; what was set otherwise is in the "
                         "command.")
    return sentences


def _ranking(config: Mapping[str, Any]) -> str:
    if config.get("task") == "choice":
        return "Every question ranks its own options, one of them right; ties are drawn by lot, alike for all models."
    mode = config["eval_args"].get("mode", "full")
    mode = mode.get("test", "full") if isinstance(mode, dict) else mode
    if mode == "full":
        return ("Every item that the split offers is ranked for every user; items of the user's earlier rows are left "
                "out.")
    return (f"Evaluation mode {mode}: not the whole catalogue is ranked, so values can not be compared with full "
            "ranking.")
