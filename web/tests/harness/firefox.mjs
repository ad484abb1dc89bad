/**
 * Firefox with a microphone that hums, and a loudspeaker that nobody hears: driven by Marionette, which it understands by itself. Playwright wants a Firefox of its own.
 *
 * Protocol: https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./consonance.mjs";
import { Pulse, whyNoPulse } from "./pulse.mjs";
import { until } from "./test.mjs";

const PROGRAMS = process.env.FIREFOX ? [process.env.FIREFOX] : ["firefox-esr", "firefox"];

const runs = (program) => spawnSync(program, ["--version"]).status === 0;

/** Why there can't be a Firefox, or null. */
export function whyNoFirefox() {
  if (!PROGRAMS.some(runs)) return "Firefox is missing: install it, or name another one in FIREFOX";
  const why = whyNoPulse();
  return why && `${why}, and without a loudspeaker Firefox plays nothing`;
}

/** Starts Firefox for a test, which closes it at its end. */
export async function launchFirefox(t) {
  const pulse = await Pulse.start(t);
  pulse.loudspeaker("loudspeaker");
  const { home } = pulse;
  const port = await freePort();
  const settings = {
    "marionette.port": port,
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": false,
    "app.update.enabled": false,
  };
  writeFileSync(join(home, "user.js"), Object.entries(settings).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`).join(""));
  pulse.run(PROGRAMS.find(runs), ["--headless", "--marionette", "--no-remote", "--profile", home]);
  const socket = await until("Firefox can be driven", () => reach(port));
  t.after(() => socket.destroy());
  const firefox = new Firefox(socket);
  await firefox.command("WebDriver:NewSession", {});
  return firefox;
}

class Firefox {
  #socket;
  #waiting = new Map();
  #number = 0;
  #received = Buffer.alloc(0);

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#onData(bytes));
  }

  open(url) {
    return this.command("WebDriver:Navigate", { url });
  }

  /** Runs a function in the page, and gives what it returns. */
  async evaluate(body, ...args) {
    const script = `return (${body})(...arguments)`;
    return (await this.command("WebDriver:ExecuteScript", { script, args })).value;
  }

  command(name, parameters) {
    const id = ++this.#number;
    const text = JSON.stringify([0, id, name, parameters]);
    this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((done, failed) => this.#waiting.set(id, { done, failed }));
  }

  /** Messages are a length, a colon and JSON; the first one is a greeting. */
  #onData(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const colon = this.#received.indexOf(":");
      const end = colon + 1 + Number(this.#received.subarray(0, Math.max(0, colon)));
      if (colon < 0 || this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end));
      this.#received = this.#received.subarray(end);
      if (Array.isArray(message)) this.#onAnswer(message);
    }
  }

  #onAnswer([, id, error, result]) {
    const { done, failed } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) failed(new Error(`${error.error}: ${error.message}`));
    else done(result);
  }
}

async function reach(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    return null;
  }
}
