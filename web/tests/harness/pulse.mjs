/**
 * A sound server of a test's own, with microphones and loudspeakers that are plugged in and out, and that nobody hears.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./test.mjs";

/** Why there can't be one, or null. */
export const whyNoPulse = () => (spawnSync("pulseaudio", ["--version"]).status === 0 ? null : "pulseaudio is missing");

export class Pulse {
  static async start(t) {
    const pulse = new Pulse();
    const home = (pulse.home = mkdtempSync(join(tmpdir(), "consonance-pulse-")));
    t.after(() => rmSync(home, { recursive: true, force: true }));
    pulse.t = t;
    /** The surroundings of programs that use it. */
    pulse.env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, PULSE_RUNTIME_PATH: home, PULSE_SERVER: `unix:${home}/native` };
    // As on a desktop, what plays goes on at another loudspeaker.
    const loads = ["module-native-protocol-unix auth-anonymous=1", "module-rescue-streams"].flatMap((module) => ["-L", module]);
    pulse.run("pulseaudio", ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", ...loads]);
    await until("the sound server runs", () => spawnSync("pactl", ["info"], { env: pulse.env }).status === 0);
    return pulse;
  }

  /** Plugs in a loudspeaker, as the usual one. What unplugs it. */
  loudspeaker(name) {
    const device = this.control("load-module", "module-null-sink", `sink_name=${name}`);
    this.control("set-default-sink", name);
    return () => this.control("unload-module", device);
  }

  /** What a loudspeaker plays meanwhile. */
  played(name, seconds) {
    const words = ["-d", `${name}.monitor`, "--format=s16le", "--rate=48000", "--channels=1"];
    const { stdout } = spawnSync("parec", words, { env: this.env, timeout: seconds * 1_000, maxBuffer: 2 ** 28 });
    return new Int16Array(stdout.buffer, stdout.byteOffset, stdout.length >> 1);
  }

  /** Plugs in a microphone, into which a file is spoken without end at some percent of full volume, as the usual one. What unplugs it. */
  microphone(name, file, percent) {
    // A loudspeaker's monitor is no microphone to Chromium; a source made of it is.
    const wire = this.control("load-module", "module-null-sink", `sink_name=${name}-wire`);
    const device = this.control("load-module", "module-remap-source", `master=${name}-wire.monitor`, `source_name=${name}`);
    this.control("set-default-source", name);
    const volume = Math.round((percent / 100) * 65_536);
    this.run("sh", ["-c", `while paplay --device=${name}-wire --volume=${volume} '${file}'; do :; done`]);
    return () => [device, wire].forEach((module) => this.control("unload-module", module));
  }

  control(...words) {
    return execFileSync("pactl", words, { env: this.env, encoding: "utf8" }).trim();
  }

  run(program, words) {
    const child = spawn(program, words, { env: this.env, stdio: "ignore" });
    this.t.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    });
  }
}
