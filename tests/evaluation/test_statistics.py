"""Bootstrap, paired t and Holm against naive loops with the same draws, and against SciPy."""
from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from recbole_medmoe.evaluation import statistics
from recbole_medmoe.evaluation.statistics import (bootstrap_interval, effect_size, equivalence, holm, paired_bootstrap,
                                                  paired_t, ratio_interval)

DRAWS = 400


@pytest.fixture()
def paired() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models on 90 rows of 37 patients."""
    generator = np.random.default_rng(11)
    a = generator.random(90)
    return a, np.clip(a - 0.03 + generator.normal(0, 0.1, 90), 0, 1), generator.integers(0, 37, 90)


def naive_means(values: np.ndarray, clusters: np.ndarray, seed: int) -> np.ndarray:
    members = [values[clusters == name] for name in np.unique(clusters)]
    drawn = np.random.default_rng(seed).integers(0, len(members), size=(DRAWS, len(members)))
    return np.array([np.concatenate([members[index] for index in draw]).mean() for draw in drawn])


def test_interval_equals_a_naive_cluster_bootstrap(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, _, clusters = paired
    found = bootstrap_interval(a, clusters, DRAWS, seed=4, level=0.9)
    expected = np.quantile(naive_means(a, clusters, 4), [0.05, 0.95])
    assert found == pytest.approx((a.mean(), *expected), abs=1e-12)


def test_interval_agrees_with_scipys_percentile_bootstrap(
        paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a = paired[0]
    theirs = stats.bootstrap((a,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    ours = bootstrap_interval(a, None, 20_000, seed=2)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_paired_bootstrap_equals_a_naive_one(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, clusters = paired
    means = naive_means(a - b, clusters, 8)
    tail = min((means <= 0).sum(), (means >= 0).sum())
    expected = ((a - b).mean(), *np.quantile(means, [0.025, 0.975]), min(1, 2 * (tail + 1) / (DRAWS + 1)))
    assert paired_bootstrap(a, b, clusters, DRAWS, seed=8) == pytest.approx(expected, abs=1e-12)


def test_differences_that_are_nothing_but_rounding_count_as_none() -> None:
    whole = np.array([1.0, 2.0, -3.0, 1.0, -1.0])   # sums of these are exact, a tenth of them is not
    assert paired_bootstrap(whole / 10, np.zeros(5), draws=2000).p == paired_bootstrap(whole, np.zeros(5), draws=2000).p


def test_blocks_of_draws_do_not_change_the_result(paired: tuple[np.ndarray, np.ndarray, np.ndarray],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, clusters = paired
    whole = paired_bootstrap(a, b, clusters, DRAWS, seed=1)
    monkeypatch.setattr(statistics, "_BLOCK", 100)
    assert paired_bootstrap(a, b, clusters, DRAWS, seed=1) == pytest.approx(whole, abs=1e-12)


def test_equal_models_have_p_one() -> None:
    a = np.random.default_rng(0).random(30)
    assert paired_bootstrap(a, a, None, DRAWS).p == 1.0


def test_a_clear_difference_has_the_smallest_p_the_draws_allow() -> None:
    a = np.random.default_rng(0).random(30)
    assert paired_bootstrap(a + 1, a, None, DRAWS).p == pytest.approx(2 / (DRAWS + 1))


def test_repeated_rows_of_a_patient_do_not_narrow_the_interval() -> None:
    a = np.random.default_rng(0).random(25)
    once = bootstrap_interval(a, np.arange(25), DRAWS, seed=3)
    assert bootstrap_interval(np.repeat(a, 4), np.repeat(np.arange(25), 4), DRAWS, seed=3) == pytest.approx(once)


def test_paired_t_equals_scipy_on_rows(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, _ = paired
    expected = stats.ttest_rel(a, b)
    assert paired_t(a, b) == pytest.approx((expected.statistic, expected.pvalue, expected.df), rel=1e-9)


def test_paired_t_equals_scipy_on_patient_means(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, clusters = paired
    names = np.unique(clusters)
    expected = stats.ttest_rel(*([values[clusters == name].mean() for name in names] for values in (a, b)))
    assert paired_t(a, b, clusters) == pytest.approx((expected.statistic, expected.pvalue, len(names) - 1), rel=1e-9)


def test_paired_t_of_equal_models_is_no_difference() -> None:
    assert paired_t(np.ones(5), np.ones(5)) == (0.0, 1.0, 4)


def test_one_patient_has_a_mean_and_no_interval() -> None:
    found = paired_bootstrap(np.array([0.5]), np.array([0.2]), None, DRAWS)
    assert found.difference == pytest.approx(0.3)
    assert np.isnan([found.low, found.high, found.p, bootstrap_interval(np.ones(1)).low]).all()


def test_holm_steps_down_in_the_order_given() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_holm_never_passes_one() -> None:
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_leaves_out_what_could_not_be_tested() -> None:
    found = holm([0.02, float("nan"), 0.03])
    assert found[0] == pytest.approx(0.04) and np.isnan(found[1]) and found[2] == pytest.approx(0.04)


def test_values_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        paired_bootstrap(np.ones(3), np.ones(4))


def test_equivalence_equals_a_naive_pair_of_one_sided_tests(
        paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, clusters = paired
    means = naive_means(a - b, clusters, 5)
    below = (sum(mean >= 0.06 for mean in means) + 1) / (DRAWS + 1)
    above = (sum(mean <= -0.06 for mean in means) + 1) / (DRAWS + 1)
    found = equivalence(a, b, 0.06, clusters, DRAWS, seed=5)
    assert found[:4] == pytest.approx(((a - b).mean(), *np.quantile(means, [0.05, 0.95]), max(below, above)), abs=1e-12)


def test_equivalence_agrees_with_two_one_sided_t_tests() -> None:
    generator = np.random.default_rng(2)
    a = generator.normal(0.5, 0.1, 400)
    b = a + generator.normal(0.004, 0.06, 400)
    ours = equivalence(a, b, 0.01, draws=20_000)
    theirs = max(stats.ttest_1samp(a - b, 0.01, alternative="less").pvalue,
                 stats.ttest_1samp(a - b, -0.01, alternative="greater").pvalue)
    assert ours.p == pytest.approx(theirs, abs=0.006)


def test_equal_models_are_equivalent_within_any_margin() -> None:
    a = np.random.default_rng(0).random(30)
    assert equivalence(a, a, 1e-6, draws=DRAWS).equivalent


def test_few_noisy_rows_do_not_show_equivalence() -> None:
    generator = np.random.default_rng(1)
    assert not equivalence(generator.random(12), generator.random(12), 0.01, draws=DRAWS).equivalent


@pytest.mark.parametrize("margin", [0.0, -0.01, float("nan"), float("inf")])
def test_a_margin_out_of_range_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        equivalence(np.ones(4), np.ones(4), margin)


@pytest.mark.parametrize("level", [0.5, 1.0, 95])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        equivalence(np.ones(4), np.ones(4), 0.01, level=level)


def test_effect_size_is_the_t_statistic_over_the_root_of_n(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, clusters = paired
    t = paired_t(a, b, clusters)
    assert effect_size(a, b, clusters) == pytest.approx(t.t / np.sqrt(t.degrees + 1), rel=1e-12)


def test_ratio_interval_equals_a_naive_loop(paired: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, clusters = paired
    patients = np.unique(clusters)
    drawn = np.random.default_rng(6).integers(0, len(patients), size=(DRAWS, len(patients)))
    ratios = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(clusters == patients[index]) for index in draw])
        ratios.append(a[rows].sum() / b[rows].sum())
    found = ratio_interval(a, b, clusters, DRAWS, seed=6)
    assert found == pytest.approx((a.sum() / b.sum(), *np.quantile(ratios, [0.025, 0.975])), abs=1e-12)


def test_a_pooled_metric_without_a_denominator_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 0"):
        ratio_interval(np.ones(3), np.zeros(3))


def test_ten_thousand_draws_over_ten_thousand_rows_take_under_two_seconds() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.random(10_000), generator.random(10_000)
    begun = time.process_time()
    paired_bootstrap(a, b, np.arange(10_000), 10_000)
    assert time.process_time() - begun < 2.0
