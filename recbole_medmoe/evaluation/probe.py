"""How far a prompt gives its task away: a bag of words that guesses the task, trained and tested as the model is."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def task_probe(train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> dict[str, float | int]:
    """Accuracy of a logistic regression on TF-IDF words (scikit-learn's, C = 1) that is given prompts alone.

    A model that needs no task label may still find the task in the text; where the probe is right nearly always, it
    does.

    Args:
        train: prompts and their tasks.
        test: those that are guessed.

    Returns:
        ``accuracy``, ``majority`` (share of the test prompts that are of the commonest training task), ``tasks`` and
        ``n``, the test prompts.

    Raises:
        ValueError: no prompts.

    Example:
        >>> told = task_probe([("eat a pear", "food"), ("take aspirin", "drug")], [("a pear", "food")])
        >>> told["accuracy"], told["tasks"]
        (1.0, 2)
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if not train or not test:
        raise ValueError("the probe needs prompts to learn from and prompts to guess")
    tasks = [task for _, task in train]
    common = Counter(tasks).most_common(1)[0][0]
    majority = sum(task == common for _, task in test) / len(test)
    accuracy = majority   # of one task there is nothing to guess
    if len(set(tasks)) > 1:
        guesser = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), LogisticRegression(max_iter=1000))
        guessed = guesser.fit([prompt for prompt, _ in train], tasks).predict([prompt for prompt, _ in test])
        accuracy = sum(bool(guess == task) for guess, (_, task) in zip(guessed, test)) / len(test)
    return {"accuracy": float(accuracy), "majority": float(majority), "tasks": len(set(tasks)), "n": len(test)}
