# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of failover, refusal and registration, each proven against SIPp on both sides of a switch of its own.

The cases wait more than they work, so they run several at once; each is reported by the test of its name."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import conftest
import pytest
import sipp_failover
import sipp_refusals
import sipp_registrations
import sipp_repeats
import sipp_runs

AT_ONCE = 6
CASES = sipp_failover.CASES + sipp_refusals.CASES + sipp_registrations.CASES + sipp_repeats.CASES + sipp_runs.CASES
NETWORKS = {case.name: "%s.%d" % (conftest.NET.rsplit(".", 1)[0], n) for n, case in enumerate(CASES, 1)}

# End codes that no rule of admission, routing or failover gives: what ends a call that is up, what is wrong with a message,
# transports that SIPp does not speak, and a phone that must have answered OPTIONS before. tests/flow has them.
ELSEWHERE = set("""CANCEL_ANSWER_RACE TCP_CONNECT_TIMEOUT TCP_CONNECTION_LOST TLS_HANDSHAKE_FAILED DNS_FAILED SWITCH_RESTARTED OPERATOR_HANGUP
    MAX_DURATION PRACK_MISSING SESSION_TIMER_EXPIRED SESSION_REFRESH_REJECTED SESSION_REFRESH_UNANSWERED SESSION_INTERVAL_REFUSED
    DIALOG_LOST_AT_PEER PEER_HANGUP_WITH_CAUSE ROUTING_LOOP MALFORMED_MESSAGE SDP_MALFORMED MEDIA_TYPE_UNSUPPORTED INTERNAL_ERROR
    CALLEE_UNREACHABLE""".split())
# Nothing came; no memory.
NOT_SHOWN = {"NO_REQUEST", "NO_MEMORY"}


@pytest.fixture(scope="session")
def outcomes(request):
    conftest.need("sipp")
    program = os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd"))
    if not os.access(program, os.X_OK):
        pytest.fail("no daemon at %s" % program)
    cases = [item.callspec.params["case"] for item in request.session.items if "outcomes" in getattr(item, "fixturenames", ())]
    cases.sort(key=lambda case: not case.slow)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case.name: pool.submit(case.run, NETWORKS[case.name], program, os.environ.get("CAUSEWAY_CLI"))
               for case in cases}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_rule(case, outcomes):
    evidence = outcomes[case.name].result()
    if evidence:
        pytest.fail(evidence, pytrace=False)


def names(path, macro):
    with open(os.path.join(conftest.TOP, path)) as f:
        return set(re.findall(r"^%s\((\w+)" % macro, f.read(), re.M))


def test_each_end_code_has_a_case():
    said = set(re.findall(r"\w+", " ".join("%s %s" % (call.end, call.tried) for case in CASES for call in case.calls)))
    missing = names("src/model/endcodes.def", "END_CODE") - said - ELSEWHERE
    assert not missing, "%s: add a row to tests/interop/sipp_refusals.py, as docs/flow-tests.md says, or a name to ELSEWHERE" % missing


def test_each_end_of_a_registration_has_a_case():
    said = set(re.findall(r"\b[A-Z_]+\b", " ".join(pattern.replace(r"\b", " ") for case in CASES for _, pattern in case.after)))
    missing = names("src/edge/edge_register.def", "REGISTER_REASON") - said - NOT_SHOWN
    assert not missing, "%s: add a row to tests/interop/sipp_registrations.py" % missing
