"""Goals are judged by what was measured, and by nothing where nothing was."""

from __future__ import annotations

from benchmarks.runner.goals import GOALS, Verdict, judge

Rounds = dict[tuple[str, str], list[dict[str, float | None] | None]]


def verdicts(runs: Rounds) -> dict[str, Verdict]:
    return {verdict.goal.what: verdict for verdict in judge(runs)}


def cpu(*values: float) -> list[dict[str, float | None] | None]:
    return [{"cpu_us_per_delivery": value} for value in values]


def test_a_goal_is_reached_at_its_bound_and_missed_above_it() -> None:
    what = "pairs, batched: CPU against mosquitto"
    level = verdicts({("pairs", "swarmwire"): cpu(1.0), ("pairs", "mosquitto"): cpu(2.0)})[what]
    above = verdicts({("pairs", "swarmwire"): cpu(1.1), ("pairs", "mosquitto"): cpu(2.0)})[what]
    assert (level.reached, above.reached) == (True, False)


def test_one_bad_round_does_not_decide() -> None:
    runs: Rounds = {("pairs", "swarmwire"): cpu(1.0, 9.0, 1.0), ("pairs", "mosquitto"): cpu(2.0, 2.0, 2.0)}
    verdict = verdicts(runs)["pairs, batched: CPU against mosquitto"]
    assert verdict.reached is True
    assert verdict.measured is not None
    assert verdict.measured.high == 4.5


def test_a_goal_may_ask_for_more_instead_of_less() -> None:
    def reached(rate: float) -> bool | None:
        runs: Rounds = {
            ("idle", "swarmwire"): [{"connect_rate": rate}],
            ("idle", "mosquitto"): [{"connect_rate": 100.0}],
        }
        return verdicts(runs)["connections a second against mosquitto"].reached

    assert (reached(60.0), reached(59.0)) == (True, False)


def test_nothing_lost_is_judged_without_another_server() -> None:
    what = "bursts: nothing lost"
    assert verdicts({("bursts", "swarmwire"): [{"lost": 0.0}]})[what].reached is True
    assert verdicts({("bursts", "swarmwire"): [{"lost": 1.0}]})[what].reached is False


def test_nothing_is_judged_of_an_empty_run() -> None:
    assert [verdict.reached for verdict in judge({})] == [None] * len(GOALS)


def test_no_goal_is_told_twice() -> None:
    told = [goal.what for goal in GOALS]
    assert sorted(set(told)) == sorted(told)
