#!/usr/bin/env python3
"""Scores what `codec loss` wrote, and prints Markdown: codec-scores.py LIST..

LIST is its standard output. For each case and pattern of loss: the median over the clips of PESQ (wide-band, ITU-T P.862.2), and of STOI.
Needs the Python packages of tools/codec-bench.
"""

import statistics
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from math import gcd
from pathlib import Path

import soundfile
from pesq import pesq
from pystoi import stoi
from scipy.signal import resample_poly

RATE = 16_000


def read(path):
    samples, rate = soundfile.read(path)
    common = gcd(rate, RATE)
    return resample_poly(samples, RATE // common, rate // common)


def score(path):
    reference, heard = read(Path(path).parent / "reference.wav"), read(path)
    length = min(len(reference), len(heard))
    reference, heard = reference[:length], heard[:length]
    return pesq(RATE, reference, heard, "wb"), stoi(reference, heard, RATE)


def main(lists):
    rows = [line.rstrip("\n").split("\t") for path in lists for line in open(path, encoding="utf-8")]
    with ProcessPoolExecutor(2) as pool:
        scores = list(pool.map(score, [row[3] for row in rows], chunksize=8))
    cells, filled, losses = defaultdict(list), defaultdict(lambda: [0] * 4), []
    for row, found in zip(rows, scores):
        version, case, loss, _, rate, _, *counts = row
        cells[version, case, loss].append((*found, float(rate)))
        filled[version, case, loss] = [a + int(b) for a, b in zip(filled[version, case, loss], counts)]
        if loss not in losses:
            losses.append(loss)
    print("| library | gaps filled by | " + " | ".join(losses) + " |")
    print("|---|---|" + "---|" * len(losses))
    for version, case in dict.fromkeys((version, case) for version, case, _ in cells):
        print(f"| {version} | {case} | " + " | ".join(cell(cells[version, case, loss]) for loss in losses) + " |")
    print()
    print("| library | gaps filled by | loss | kbit/s | FEC | DRED | concealed |")
    print("|---|---|---|---|---|---|---|")
    for (version, case, loss), (gone, *ways) in filled.items():
        if gone:
            rate = statistics.mean(rate for *_, rate in cells[version, case, loss])
            shares = " | ".join(f"{100 * way // gone} %" for way in ways)
            print(f"| {version} | {case} | {loss} | {rate:.1f} | {shares} |")


def cell(found):
    quality, clarity, _ = (statistics.median(values) for values in zip(*found))
    return f"{quality:.2f} / {clarity:.3f}"


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    main(sys.argv[1:])
