/**
 * PESQ-WB (ITU-T P.862.2), scored by the program that `consonance quality` uses, in its Python environment.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, target } from "./places.mjs";

const SCRIPT = join(root, "consonance/src/quality/scores.py");
const PYTHON = join(target, "quality-scores/bin/python");

/** Why nothing can be scored, or null. */
export function whyNoScores() {
  return existsSync(PYTHON) ? null : "the Python environment with PESQ is missing: tools/web-test makes it";
}

/** Scores pieces as long as `spoken`, all at 48 kHz; 1.0 (bad) to 4.64. */
export async function pesq(spoken, pieces) {
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
