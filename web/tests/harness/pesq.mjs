/**
 * PESQ-WB (ITU-T P.862.2), scored by the program that `consonance quality` uses, in its Python environment.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, target } from "./places.mjs";
import { heardRounds, quantile } from "./sound.mjs";
import { figure } from "./test.mjs";

const SCRIPT = join(root, "consonance/src/quality/scores.py");
const PYTHON = join(target, "quality-scores/bin/python");

/** Of fewer rounds a median says nothing. */
const FEWEST = 3;

/** Why nothing can be scored, or null. */
export function whyNoScores() {
  return existsSync(PYTHON) ? null : "the Python environment with PESQ is missing: tools/web-test makes it";
}

/**
 * Scores each round in which a spoken loop was heard whole, and gives the median of those in which the machine didn't stand still: what a browser plays has a
 * hole then, whatever is played. Where fewer than three are left, it gives the best of all. `before` is how long a sound may be under way, ms.
 *
 * @param {import("./person.mjs").Recording} recording
 * @param {import("./machine.mjs").Machine} machine
 */
export async function pesqOf(who, spoken, recording, machine, before) {
  const rounds = heardRounds(spoken, recording.mono());
  if (!rounds.length) throw new Error(`${who}: the sentence wasn't found in what was heard`);
  const scores = await pesq(spoken, rounds.map(({ samples }) => samples));
  const disturbed = rounds.map(({ start }) => machine.stoodStill(recording.timeAt(start) - before, recording.timeAt(start + spoken.length - 1)));
  const words = scores.map((score, round) => (disturbed[round] ? `(${score.toFixed(2)})` : score.toFixed(2))).join(", ");
  figure(`PESQ-WB, ${who}, in brackets where the machine stood still`, words);
  const calm = scores.filter((_, round) => !disturbed[round]);
  return calm.length < FEWEST ? Math.max(...scores) : quantile(calm, 0.5);
}

/** Scores pieces as long as `spoken`, all at 48 kHz; 1.0 (bad) to 4.64. */
async function pesq(spoken, pieces) {
  const child = spawn(PYTHON, ["-W", "ignore", "-c", readFileSync(SCRIPT, "utf8")], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.write(`${JSON.stringify({ samples: spoken.length, sounds: pieces.length })}\n`);
  // The program wants each sound twice: as heard, and unwarped for STOI, which isn't of interest here.
  for (const sound of [spoken, ...pieces.flatMap((piece) => [piece, piece])]) {
    child.stdin.write(Buffer.from(sound.buffer, sound.byteOffset, sound.byteLength));
  }
  child.stdin.end();
  let answer = "";
  for await (const text of child.stdout) answer += text;
  return JSON.parse(answer).map(([score]) => score ?? 1);
}
