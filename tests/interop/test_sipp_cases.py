# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of failover, refusal and registration, each proven against SIPp on both sides of a switch of its own.

The cases wait more than they work, so they run several at once; each is reported by the test of its name."""

import os
from concurrent.futures import ThreadPoolExecutor

import conftest
import pytest
import sipp_failover
import sipp_refusals
from sipp_case import Run

AT_ONCE = 6
CASES = sipp_failover.CASES + sipp_refusals.CASES
NETWORKS = {case.name: "%s.%d" % (conftest.NET.rsplit(".", 1)[0], n) for n, case in enumerate(CASES, 1)}


@pytest.fixture(scope="session")
def outcomes(request):
    conftest.need("sipp")
    program = os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd"))
    if not os.access(program, os.X_OK):
        pytest.fail("no daemon at %s" % program)
    cases = [item.callspec.params["case"] for item in request.session.items if "outcomes" in getattr(item, "fixturenames", ())]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case.name: pool.submit(lambda case=case: Run(case, NETWORKS[case.name], program, os.environ.get("CAUSEWAY_CLI")).run())
               for case in cases}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_rule(case, outcomes):
    evidence = outcomes[case.name].result()
    if evidence:
        pytest.fail(evidence, pytrace=False)
