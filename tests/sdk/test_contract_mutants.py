"""The contracts catch implementations that are wrong: in a pytest of their own, as a plugin's author runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent

PROVIDERS = {
    "DeadlineOverYield": ("a_stream_is_well_formed", "a cancel scope is open at a yield"),
    "ScopeOverYield": ("a_stream_may_wander_between_tasks", "cannot be read or closed in another"),
    "TaskGroupOverYield": ("a_stream_may_wander_between_tasks", "cannot be read or closed in another"),
    "LeavesGeneratorOpen": ("leaving_a_stream_early_closes_it", "wrap it in contextlib.aclosing"),
    "KeepsConnections": ("leaving_a_stream_early_closes_it", "still holds 1 connection"),
    "SwallowsCancellation": ("cancellation_is_let_through", "went on as if nothing had happened"),
    "CancellationIntoError": ("cancellation_is_let_through_a_stream", "let cancellation through"),
    "NeverFinished": ("a_stream_is_well_formed", "ended without a Finished event"),
    "EmptyDelta": ("a_stream_is_well_formed", "TextDelta without text"),
    "WrongTotal": ("an_answer_is_whole", "exceeds total_tokens"),
    "ShowsSecret": ("nothing_shows_a_secret", "a secret shows in a repr"),
    "UntypedError": ("failures_are_typed", "ConnectionError"),
    "SecretInError": ("failures_are_typed", "the error shows a secret"),
    "BareProviderError": ("failures_are_typed", "choose a leaf"),
    "OtherStream": ("a_stream_adds_up_to_the_answer", "streamed"),
    "KeepsCallOnSelf": ("many_calls_run_at_once", "keep no call on `self`"),
    "ChangesRequest": ("a_request_stays_as_it_was", "changed the request"),
    "IgnoresToolChoice": ("a_forced_tool_is_called", "no tool call arrived"),
    "IgnoresSchema": ("a_json_schema_is_honoured", "is not of type integer"),
    "LosesVectors": ("embeddings_match_their_texts", "3 texts went in, 2 vectors came out"),
    "OpensOnce": ("it_opens_again_after_closing", "closed"),
    "NaiveParser": ("samples_parse_however_they_are_cut", "gives other events"),
    "CredulousParser": ("samples_parse_however_they_are_cut", "half of the sample"),
    "LooseConfig": ("the_table_fits_the_configuration", "keys"),
}
OTHERS = {
    "WrongChance": ("it_ends_when_all_fail", "more than 0, at most 1"),
    "ScoresStrangers": ("it_ends_when_all_fail", "not among the targets given"),
    "NotAGenerator": ("it_ends_when_all_fail", "must be a generator of steps, and returned list"),
    "NeverEnds": ("it_ends_when_all_fail", "still no end"),
    "RemembersTargets": ("targets_may_come_and_go", "not among the targets given"),
    "OnePlaceForAllCalls": ("two_calls_at_once_do_not_mix", "did not get to every target"),
    "ReadsFile": ("it_only_thinks", "does I/O or waits"),
    "NeedsTwo": ("one_target_is_enough", "not enough values to unpack"),
    "GivesUpEarly": ("every_target_gets_its_chance", "never got a chance"),
    "TakesTargetsAway": ("the_targets_given_stay_as_they_are", ""),
    "CountsOnOutcomes": ("a_race_tells_only_who_ended", "index out of range"),
    "RenewsForEach": ("many_who_wait_share_one_renewal", "made 20 requests, not 1"),
    "FailsOneByOne": ("many_who_wait_share_one_failure", "share the failure"),
    "NotCompared": ("a_rejected_generation_is_renewed_once", "compare it with the newest"),
    "NotHandedOver": ("a_cancelled_renewal_hands_over", "waits for what never comes"),
    "ShownKey": ("nothing_shows_a_secret", "a secret shows in a repr"),
    "WaitsInOn": ("it_takes_every_record", "on() waits"),
    "RaisesOnErrors": ("it_takes_every_record", "this error cannot be shown"),
    "WantsList": ("it_says_what_it_wants", "must be a frozenset"),
    "AsyncOn": ("it_takes_every_record", "must be a plain function"),
    "LosesTheEnd": ("what_was_taken_is_out_after_closing", "nothing is out after closing"),
    "PassesSecretsOn": ("no_secret_gets_out", "a key from a record got out"),
}
RELAYS = {
    "NoRelay": ("it_takes_its_wire_and_no_other", "is no relay"),
    "TakesAnyWire": ("it_takes_its_wire_and_no_other", "takes a wire that does not exist"),
    "ChangesDocument": ("a_request_stays_as_it_was", "changed the document"),
    "TellsNoCounts": ("an_answer_goes_through", "tells no token counts"),
    "GivesNoJson": ("an_answer_goes_through", "not JSON"),
    "FailsAfterTheEnd": ("a_stream_goes_through", "over"),
    "KeepsTheConnection": ("leaving_a_stream_early_closes_it", "still holds 1 connection"),
    "ScopeBetweenCalls": ("a_stream_goes_through", "a cancel scope of the source is open"),
    "ScopeOverTasks": ("a_stream_may_wander_between_tasks", "open between two calls of a source"),
    "UntypedFailure": ("failures_are_typed", "ConnectionError"),
    "SwallowsCancellationOfRelay": ("cancellation_is_let_through", "went on as if nothing had happened"),
}
MUTANTS = {**PROVIDERS, **OTHERS, **RELAYS}


def chosen() -> list[str]:
    """What to run: of each mutant the check that is to catch it, of the honest ones everything."""
    providers, others, relays = (HERE / f"mutants_{name}.py" for name in ("providers", "others", "relays"))
    caught = [f"{providers}::Test{name}::test_{check}" for name, (check, _) in PROVIDERS.items()]
    caught += [f"{others}::Test{name}::test_{check}" for name, (check, _) in OTHERS.items()]
    caught += [f"{relays}::Test{name}::test_{check}" for name, (check, _) in RELAYS.items()]
    honest = [f"{providers}::TestHonest", f"{others}::TestHonestStrategy", f"{relays}::TestHonestRelay"]
    honest += [f"{others}::TestHonestAsyncStrategy", f"{others}::TestHonestObserver"]
    return [*honest, *caught]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Per class, how each of its tests ended: empty for a success, else the failure."""
    path = tmp_path_factory.mktemp("mutants") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={path}", "--no-cov"]
    done = subprocess.run([*command, *chosen()], cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    ends: dict[str, list[str]] = {}
    for case in ET.parse(path).iter("testcase"):
        name = (case.get("classname") or "").rpartition("Test")[2]
        failure = case.find("failure")
        if failure is None and case.find("error") is not None:
            continue  # what a mutant leaves behind may disturb the teardown, too: that is reported a second time
        ends.setdefault(name, []).append("" if failure is None else f"{failure.get('message')}\n{failure.text}")
    return ends


pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_contract_catches(name: str, report: dict[str, list[str]]) -> None:
    _, phrase = MUTANTS[name]
    assert report[name]
    for failure in report[name]:
        assert failure, f"{name} passed"
        assert phrase in failure


@pytest.mark.parametrize(
    ("name", "least"),
    [("Honest", 36), ("HonestStrategy", 20), ("HonestAsyncStrategy", 18), ("HonestObserver", 14), ("HonestRelay", 14)],
)
def test_the_contract_lets_pass(name: str, least: int, report: dict[str, list[str]]) -> None:
    assert len(report[name]) >= least
    assert set(report[name]) == {""}
