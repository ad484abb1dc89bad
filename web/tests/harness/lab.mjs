/**
 * Two machines on a wire that can be cut without a sound, as when somebody walks out of reach: network namespaces and a pair of virtual cables.
 * Made as root, or in a user namespace where those are allowed.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ADDRESSES = ["10.77.0.1", "10.77.0.2"];
/** The page's, after it has moved. */
const ELSEWHERE = "10.77.0.3";
/** Nobody's. What is sent there is lost, and no sender notices. */
const NOWHERE = "02:00:00:00:00:99";
const root = process.getuid?.() === 0;
const space = root ? ["--net"] : ["--user", "--net"];

/** Why there can't be namespaces here, or null. */
export function whyNoLab() {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  try {
    execFileSync("unshare", [...unsharing(), "ip", "link", "set", "lo", "up"], { stdio: "pipe" });
    return null;
  } catch (error) {
    return `no network namespace can be made (${String(error.stderr || error.message).trim().split("\n")[0]}): be root, or allow user namespaces`;
  }
}

const unsharing = () => (root ? ["--net"] : ["--user", "--map-root-user", "--net"]);

export class Lab {
  static async start(t) {
    const lab = new Lab();
    lab.holders = [await hold([]), null];
    lab.holders[1] = await hold(lab.enter(0, "--user"));
    t.after(() => lab.holders.forEach((holder) => holder.kill("SIGKILL")));
    lab.run(0, "ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", String(lab.holders[1].pid));
    for (const at of [0, 1]) {
      lab.run(at, "ip", "link", "set", "lo", "up");
      lab.run(at, "ip", "address", "add", `${ADDRESSES[at]}/24`, "dev", `wire${at}`);
      lab.run(at, "ip", "link", "set", `wire${at}`, "up");
    }
    lab.run(1, "ip", "route", "add", "default", "via", ADDRESSES[0]);
    return lab;
  }

  /** The server's address. */
  get address() {
    return ADDRESSES[0];
  }

  /** The command before another one that runs it on a machine: 0 is the server's, 1 the page's. */
  enter(at, only) {
    const spaces = only ? [only] : space;
    if (root && only) return [];
    return ["nsenter", "--target", String(this.holders[at].pid), ...spaces, ...(root ? [] : ["--preserve-credentials"])];
  }

  /** A program that starts another one on a machine; for those who want a single file to start. */
  wrapper(t, at, program) {
    const folder = mkdtempSync(join(tmpdir(), "consonance-lab-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "run");
    writeFileSync(file, `#!/bin/sh\nexec ${this.enter(at).join(" ")} ${program} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Takes the page's machine to another network: its address is gone, and it gets one of those. */
  move() {
    this.run(1, "ip", "address", "flush", "dev", "wire1");
    this.run(1, "ip", "address", "add", `${ELSEWHERE}/24`, "dev", "wire1");
    this.run(1, "ip", "route", "replace", "default", "via", ADDRESSES[0]);
  }

  cut() {
    for (const at of [0, 1]) this.run(at, "ip", "neigh", "replace", ADDRESSES[1 - at], "lladdr", NOWHERE, "nud", "permanent", "dev", `wire${at}`);
  }

  heal() {
    for (const at of [0, 1]) this.run(at, "ip", "neigh", "del", ADDRESSES[1 - at], "dev", `wire${at}`);
  }

  run(at, ...command) {
    const [first, ...rest] = [...this.enter(at), ...command];
    return execFileSync(first, rest, { encoding: "utf8" });
  }
}

/** A process that keeps a namespace of its own until it is killed. */
async function hold(before) {
  const inside = before.length > 0 ? ["--net"] : unsharing();
  const [first, ...rest] = [...before, "unshare", ...inside, "sh", "-c", "echo here; exec sleep 1000"];
  const holder = spawn(first, rest, { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  return holder;
}
