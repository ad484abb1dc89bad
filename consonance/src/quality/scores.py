"""Scores heard speech against what was spoken: PESQ-WB (ITU-T P.862.2) and STOI. Started by `consonance quality`.

Over standard input come requests: one line of JSON, {"samples": N, "sounds": K}, then 16-bit little-endian samples at 48 kHz, N each: what was
spoken, and for each of K sounds what was heard and the same put back in the time of the speech. The answer is one line of JSON: for each sound PESQ
of the first and STOI of the second; null where there is nothing to be scored.
"""

import json
import sys

import numpy as np
from pesq import PesqError, pesq
from pystoi import stoi
from scipy.signal import resample_poly

RATE = 16_000
# PESQ is made for short recordings; longer ones are scored in pieces of the same length.
LONGEST_PIECE = 25 * RATE


def read(samples):
    data = sys.stdin.buffer.read(2 * samples)
    return resample_poly(np.frombuffer(data, "<i2") / 32768, 1, 3)


def pieces(length):
    count = -(-length // LONGEST_PIECE)
    edges = [length * n // count for n in range(count + 1)]
    return [slice(*edge) for edge in zip(edges, edges[1:])]


def mean_pesq(spoken, heard):
    scores = []
    for piece in pieces(len(spoken)):
        try:
            scores.append(pesq(RATE, spoken[piece], heard[piece], "wb"))
        except (PesqError, ValueError):
            pass
    return float(np.mean(scores)) if scores else None


def score_stoi(spoken, heard):
    score = float(stoi(spoken, heard, RATE))
    return score if np.isfinite(score) else None


def main():
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        samples = request["samples"]
        spoken = read(samples)
        scores = []
        for _ in range(request["sounds"]):
            heard, unwarped = read(samples), read(samples)
            scores.append([mean_pesq(spoken, heard), score_stoi(spoken, unwarped)])
        print(json.dumps(scores), flush=True)


if __name__ == "__main__":
    main()
