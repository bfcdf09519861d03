#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes captures of calls whose truth is known, and their expected.tsv: make.py FOLDER [NAME...] [--seed N] [--rounds N]

Each round makes one capture of every case in failures.py and of every one in healthy.py; products, addresses, NATs, transports, link
layers, timings, codecs and the place of the tap are drawn anew. The same seed makes the same files. score.py --captures FOLDER holds the
engine against them."""
import argparse
import os
import random

import failures
import healthy
from parties import new_call
from wire import Tap


def make_one(make, seed, kind):
    rng = random.Random("%d %s %s" % (seed, kind, make.__name__))
    tap = Tap(rng, mirrored=rng.random() < 0.12)
    rows = make(rng, tap)
    if rng.random() < 0.25 and tap.begins is None and tap.snap > 65535 and not tap.alone:
        rows += another_call(rng, tap)
    return tap, rows


def another_call(rng, tap):
    """Of other people, before all the rest."""
    call = new_call(rng, tap, t=rng.uniform(-60, -30))
    call.set_up()
    call.talk(rng.uniform(2, 8))
    call.bye()
    return failures.row(call, "NORMAL")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="*", help="only cases whose name contains one of these")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    count = 0
    with open(os.path.join(args.folder, "expected.tsv"), "w", encoding="utf-8") as table:
        for n in range(args.rounds):
            for kind, module in (("failure", failures), ("healthy", healthy)):
                for make in module.CASES:
                    if args.names and not any(name in make.__name__ for name in args.names):
                        continue
                    tap, rows = make_one(make, args.seed * 1000 + n, kind)
                    name = "%s-%s-%d.pcap" % (kind, make.__name__, n)
                    tap.write(os.path.join(args.folder, name))
                    for cells in rows:
                        table.write("\t".join((name,) + tuple(cells)) + "\n")
                    count += 1
    print("%d captures of %d cases" % (count, len(failures.CASES) + len(healthy.CASES)))


if __name__ == "__main__":
    main()
