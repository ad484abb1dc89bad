/**
 * The microphone: asked for when it is wanted, taken again when its device goes away, and told as a state in a word. Nothing here throws.
 */

import { handDirectly } from "./direct.js";
import { missing } from "./missing.js";

/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {import("../consonance.js").MicrophoneState} MicrophoneState */
/** @typedef {import("../consonance.js").MicrophoneOptions} MicrophoneOptions */

/** Devices come and go in bunches: what they are is looked at when it has been quiet for so long, ms. */
const SETTLE_MS = 500;

/** @type {Readonly<Record<string, MicrophoneState>>} */
const WHY = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

export class Microphone {
  /** @param {(state: MicrophoneState) => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {MicrophoneState} */
    this.state = "off";
    /** What is wanted; null when no microphone is. @type {MicrophoneOptions | null} */
    this.options = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** Takes its sound from where it goes. @type {(() => void) | null} */
    this.leaving = null;
    /** @type {Sound | null} */
    this.sound = null;
    /** Requests overtake each other: only the last one counts. */
    this.request = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settling = undefined;
    this.onDevices = () => {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.look(), SETTLE_MS);
    };
  }

  /** Where its sound goes. @param {Sound | null} sound */
  connect(sound) {
    this.sound = sound;
    this.join();
  }

  /** @param {MicrophoneOptions} options @returns {Promise<MicrophoneState>} */
  async use(options) {
    if (missing().talk.length > 0) return this.enter("unsupported");
    this.options = options;
    navigator.mediaDevices.addEventListener("devicechange", this.onDevices);
    const request = ++this.request;
    if (this.state !== "on" && this.state !== "paused") this.enter("asking");
    try {
      const stream = await open(options);
      if (request === this.request) return this.take(stream);
      stop(stream);
    } catch (error) {
      if (request === this.request) return this.fail(whyNot(error));
    }
    return this.state;
  }

  /** One that is in use is better than none. @param {MicrophoneState} why @returns {MicrophoneState} */
  fail(why) {
    if (this.stream) return why;
    if (why === "denied") this.watch();
    return this.enter(why);
  }

  /** What it hears can't be sent. */
  giveUp() {
    this.drop();
    this.enter("unsupported");
  }

  drop() {
    this.request++;
    this.options = null;
    navigator.mediaDevices?.removeEventListener("devicechange", this.onDevices);
    clearTimeout(this.settling);
    this.release();
    this.enter("off");
  }

  /** @param {MediaStream} stream @returns {MicrophoneState} */
  take(stream) {
    this.release();
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    track.onended = () => this.onEnded();
    // By the system or the browser; it gives no sound then, or none at all.
    track.onmute = track.onunmute = () => this.hear(track);
    this.hear(track);
    return this.state;
  }

  /** What was being said ends with the sound. @param {MediaStreamTrack} track */
  hear({ muted }) {
    this.enter(muted ? "paused" : "on");
    if (muted) this.leave();
    else this.join();
  }

  /** Takes it after all, should the person change their mind in the browser's settings. */
  async watch() {
    try {
      const permission = await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") });
      permission.onchange = () => {
        if (permission.state === "granted" && this.state === "denied" && this.options) this.use(this.options);
      };
    } catch {
      // A browser that can't be asked: the page has a button.
    }
  }

  /** The device is gone, or the person took the permission back: the usual one, if there is any. */
  onEnded() {
    this.release();
    if (this.options) this.use({ ...this.options, deviceId: undefined });
  }

  /** Whether what is used is still what is wanted: a microphone that has come, or another usual one. */
  async look() {
    if (!this.options) return;
    if (this.state === "missing" || this.state === "busy") return this.use(this.options);
    const [track] = this.stream?.getAudioTracks() ?? [];
    if (!track) return;
    const { deviceId = "default" } = this.options;
    const devices = await navigator.mediaDevices.enumerateDevices();
    const wanted = devices.find((device) => device.kind === "audioinput" && device.deviceId === deviceId);
    const used = track.getSettings();
    const isUsed = this.options.deviceId ? used.deviceId === deviceId : !used.groupId || used.groupId === wanted?.groupId;
    if (wanted && !isUsed) this.use(this.options);
  }

  join() {
    this.leave();
    const { stream, sound } = this;
    if (!stream || !sound || this.state === "paused") return;
    const leave = handDirectly(stream.getAudioTracks()[0], sound, () => this.joinBlocks());
    if (leave) this.leaving = leave;
    else this.joinBlocks();
  }

  /** Its sound comes with the loudspeaker's blocks: everywhere, at any rate, and later. */
  joinBlocks() {
    this.leave();
    const { stream, sound } = this;
    if (!stream || !sound?.node) return;
    try {
      const source = sound.context.createMediaStreamSource(stream);
      source.connect(sound.node);
      this.leaving = () => source.disconnect();
    } catch {
      // Some browsers can't bring a microphone and a context of different rates together.
      this.release();
      this.enter("unsupported");
    }
  }

  leave() {
    this.leaving?.();
    this.leaving = null;
  }

  release() {
    this.leave();
    if (this.stream) stop(this.stream);
    this.stream = null;
  }

  /** @param {MicrophoneState} state */
  enter(state) {
    if (this.state !== state) {
      this.state = state;
      this.changed(state);
    }
    return state;
  }
}

/** A device that isn't plugged in now mustn't keep the others from being used. @param {MicrophoneOptions} options */
async function open(options) {
  const { mediaDevices } = navigator;
  try {
    return await mediaDevices.getUserMedia({ audio: constraints(options) });
  } catch (error) {
    if (!options.deviceId || whyNot(error) !== "missing") throw error;
    return mediaDevices.getUserMedia({ audio: constraints({ ...options, deviceId: undefined }) });
  }
}

/** @param {unknown} error @returns {MicrophoneState} */
const whyNot = (error) => WHY[/** @type {DOMException} */ (error).name] ?? "busy";

/** @param {MicrophoneOptions} options @returns {MediaTrackConstraints} */
function constraints({ deviceId, echoCancellation = true, noiseSuppression = true, autoGainControl = true }) {
  return { deviceId: deviceId ? { exact: deviceId } : undefined, echoCancellation, noiseSuppression, autoGainControl, channelCount: 1 };
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) {
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
  }
}
