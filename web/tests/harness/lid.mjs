/**
 * The lid of a browser's laptop: while it is closed none of its processes runs. Unlike in a real sleep the machine's clocks go on, as a page sees them do after one.
 */
import { readdirSync, readFileSync } from "node:fs";

let lids = 0;

/** Why no lid can be closed here, or null. */
export const whyNoLid = () => (process.platform === "linux" ? null : "a browser's processes are found in Linux's /proc alone");

export class Lid {
  /** By this flag, given to the browser, its processes are known. */
  flag = `--consonance-lid=${process.pid}-${++lids}`;

  close() {
    this.#signal("SIGSTOP");
  }

  open() {
    this.#signal("SIGCONT");
  }

  #signal(signal) {
    const all = processes();
    const laptop = new Set(all.filter(({ command }) => command.includes(this.flag)).map(({ pid }) => pid));
    if (!laptop.size) throw new Error(`no process was started with ${this.flag}`);
    for (let before = 0; before !== laptop.size; ) {
      before = laptop.size;
      all.filter(({ parent }) => laptop.has(parent)).forEach(({ pid }) => laptop.add(pid));
    }
    for (const pid of laptop) process.kill(pid, signal);
  }
}

function processes() {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const parent = Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
      return [{ pid, parent, command }];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}
