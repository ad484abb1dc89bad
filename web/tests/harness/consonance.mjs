/**
 * The program under test: servers, and people who take part by UDP.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { Recording } from "./person.mjs";
import { program } from "./places.mjs";
import { until } from "./test.mjs";
import { readWav } from "./wav.mjs";

/** Why the program can't be run, or null. */
export function whyNoProgram() {
  return existsSync(program) ? null : `${program} is missing: cargo build -p consonance, or name another one in CONSONANCE`;
}

/** A server for a test, which stops it at its end. */
export class Server {
  /** `enter`: a command before all others, as one that enters a network namespace. */
  static async start(t, { address = "127.0.0.1", flags = [], enter = [] } = {}) {
    const server = new Server();
    server.home = mkdtempSync(path(tmpdir(), "consonance-server-"));
    [server.udp, server.web, server.http] = await Promise.all([1, 2, 3].map(async () => `${address}:${await freePort()}`));
    const addresses = ["--listen", server.udp, "--web", server.web, "--http", server.http];
    server.command = [...enter, program, "serve", ...addresses, "--log", "warn", ...flags];
    t.after(async () => {
      await server.stop();
      rmSync(server.home, { recursive: true, force: true });
    });
    await server.run();
    return server;
  }

  /** The page's. */
  get url() {
    return `http://${this.web}/`;
  }

  async run() {
    this.child = start(this.command, { CONSONANCE_HOME: this.home });
    await until("the server says where it listens", () => /in a browser|no browsers/.test(this.child.said) || this.child.exitCode !== null);
    if (!this.child.said.includes("in a browser")) throw new Error(`the server doesn't serve browsers:\n${this.child.said}`);
  }

  /** As Ctrl-C does; with SIGKILL it says no goodbye. */
  async stop(signal = "SIGTERM") {
    await end(this.child, signal);
  }
}

/** Somebody who takes part by UDP, until `seconds` are over or the test is. */
export class Native {
  static start(t, server, { name, room = "Lobby", say = [], record = false, seconds = 600, flags = [], enter = [] }) {
    const native = new Native();
    native.home = mkdtempSync(path(tmpdir(), "consonance-native-"));
    const sound = [...say.flatMap((file) => ["--say", file]), ...(record ? ["--record", path(native.home, "heard")] : [])];
    const who = ["--name", name, "--room", room, "--seconds", String(seconds), "--no-direct"];
    native.child = start([...enter, program, "join", server.udp, ...who, ...sound, ...flags], { CONSONANCE_HOME: native.home });
    t.after(async () => {
      await end(native.child, "SIGKILL");
      rmSync(native.home, { recursive: true, force: true });
    });
    return native;
  }

  /** Waits until it has left by itself. */
  async left() {
    if (this.child.exitCode === null) await once(this.child, "exit");
  }

  /** Lets it leave, as Ctrl-C does. */
  async leave() {
    await end(this.child, "SIGINT");
  }

  /** What it heard, once it has left. */
  async heard() {
    await this.left();
    const file = path(this.home, "heard/heard.wav");
    return new Recording(readWav(file), [statSync(file).birthtimeMs]);
  }
}

function start([command, ...args], environment) {
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  child.said = "";
  child.stdout.on("data", (text) => (child.said += text));
  child.stderr.on("data", (text) => (child.said += text));
  child.on("error", (error) => (child.said += String(error)));
  return child;
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

/** A port that is free for UDP and TCP, and below those that the system gives to whoever asks for any. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await Promise.all([binds(createSocket("udp4"), "bind", port), binds(createServer(), "listen", port)]);
    if (free.every(Boolean)) return port;
  }
}

async function binds(socket, how, port) {
  try {
    socket[how](port, "127.0.0.1");
    await once(socket, "listening");
    socket.close();
    await once(socket, "close");
    return true;
  } catch {
    return false;
  }
}
