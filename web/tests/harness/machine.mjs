/**
 * How busy the machine is with something else: a figure that needs real time says nothing while other programs have the processors.
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

const TICKS_A_SECOND = 100;
/** More of the processors than this for others is too much. */
const QUARTER = 0.25;

/** What others do from now on. */
export class Neighbours {
  #at = Date.now();
  #others = others();

  /** Why a figure can't be relied on, or null. */
  excuse() {
    const seconds = (Date.now() - this.#at) / 1_000;
    const share = (others() - this.#others) / seconds / cpus().length;
    return share > QUARTER ? `other programs had ${Math.round(share * 100)} % of the processors` : null;
  }
}

/** Processor time that programs have used which this one didn't start, s. Always 0 but on Linux. */
function others() {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "utf8").split("\n")[0].split(/\s+/).map(Number);
    return (user + nice + system + irq + softirq) / TICKS_A_SECOND - own();
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
