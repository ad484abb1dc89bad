/**
 * What the machine keeps from a test: other programs have its processors, or it stands still, as a virtual machine does while its host runs another. Sound that
 * is due every 10 ms has a hole then, whoever plays it.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, setPriority } from "node:os";
import { fileURLToPath } from "node:url";

const TICKS_A_SECOND = 100;
/** More of the processors than this for others is too much. */
const QUARTER = 0.25;
/** A pause of this length makes a hole in what a player with buffers of 10 ms plays, ms. */
const HOLE_MS = 10;
/** More of the time than this in pauses, each of which is worth noting, is too much. */
const HUNDREDTH = 0.01;

/** What the machine does beside a test, until that ends. A process watches each processor, so that nothing else needs to be free for a pause to be seen. */
export class Machine {
  #at = Date.now();
  #others = others();
  /** @type {{ from: number, ms: number }[]} */
  #pauses = [];

  constructor(t) {
    const watcher = fileURLToPath(new URL("watcher.mjs", import.meta.url));
    const pins = spawnSync("taskset", ["--version"]).status === 0;
    for (let cpu = 0; cpu < cpus().length; cpu++) {
      const [program, ...args] = pins ? ["taskset", "-c", String(cpu), process.execPath, watcher] : [process.execPath, watcher];
      // In a session of its own, since Linux shares out the processors by sessions.
      const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
      t.after(() => child.kill());
      try {
        setPriority(child.pid, -20);
      } catch {
        // Without the right to it, what the test itself does may hold a watcher up, too.
      }
      child.stdout.setEncoding("utf8").on("data", (lines) => {
        for (const line of lines.trim().split("\n")) {
          const [from, ms] = line.split(" ").map(Number);
          this.#pauses.push({ from, ms });
        }
      });
    }
  }

  /** Whether a processor stood still for long enough to make a hole in sound, or again and again; both ends in ms since 1970. */
  stoodStill(from, to) {
    const pauses = this.#pauses.filter((pause) => pause.from < to && pause.from + pause.ms > from);
    return pauses.some(({ ms }) => ms >= HOLE_MS) || stillness(pauses, to - from) > HUNDREDTH;
  }

  /** Whether a processor stood still at all, for 5 ms or more. */
  paused(from, to) {
    return this.#pauses.some((pause) => pause.from < to && pause.from + pause.ms > from);
  }

  /** Why a figure can't be relied on, or null. */
  excuse() {
    const span = Date.now() - this.#at;
    const percent = (share) => `${(share * 100).toFixed(1)} %`;
    const busy = ((others() - this.#others) * 1_000) / span / cpus().length;
    if (busy > QUARTER) return `others had ${percent(busy)} of the processors`;
    const still = stillness(this.#pauses, span);
    return still > HUNDREDTH ? `the processors stood still for ${percent(still)} of the time` : null;
  }
}

/** Share of a span, ms, in which processors stood still. */
const stillness = (pauses, span) => pauses.reduce((sum, { ms }) => sum + ms, 0) / span / cpus().length;

/** Processor time that had whatever this program didn't start, other machines on the same host included, s. Always 0 but on Linux. */
function others() {
  try {
    const [, user, nice, system, , , irq, softirq, stolen] = readFileSync("/proc/stat", "utf8").split("\n")[0].split(/\s+/).map(Number);
    return (user + nice + system + irq + softirq + stolen) / TICKS_A_SECOND - own();
  } catch {
    return 0;
  }
}

/** Processor time of this program and of all below it, those that have ended included, s. */
function own() {
  const processes = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = processOf(pid);
    if (stat) processes.set(Number(pid), stat);
  }
  const isBelow = (pid) => {
    for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  return [...processes].filter(([pid]) => isBelow(pid)).reduce((sum, [, { ticks }]) => sum + ticks, 0) / TICKS_A_SECOND;
}

function processOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ").map(Number);
    return { parent: fields[1], ticks: fields[11] + fields[12] + fields[13] + fields[14] };
  } catch {
    return null;
  }
}
