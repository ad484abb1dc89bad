/**
 * The microphone: asked for when it is wanted, taken again when its device goes away, and told as a state in a word. Nothing here throws.
 */

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
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
    /** @type {AudioNode | null} */
    this.target = null;
    /** Requests overtake each other: only the last one counts. */
    this.request = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settling = undefined;
    this.onDevices = () => {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.look(), SETTLE_MS);
    };
  }

  /** Where its sound goes. @param {AudioNode | null} target */
  connect(target) {
    this.target = target;
    this.join();
  }

  /** @param {MicrophoneOptions} options @returns {Promise<MicrophoneState>} */
  async use(options) {
    if (!("AudioEncoder" in globalThis) || !navigator.mediaDevices?.getUserMedia) return this.enter("unsupported");
    this.options = options;
    navigator.mediaDevices.addEventListener("devicechange", this.onDevices);
    const request = ++this.request;
    if (this.state !== "on") this.enter("asking");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(options) });
      if (request === this.request) return this.take(stream);
      stop(stream);
    } catch (error) {
      if (request === this.request) {
        this.release();
        this.enter(WHY[/** @type {DOMException} */ (error).name] ?? "busy");
        if (this.state === "denied") this.watch();
      }
    }
    return this.state;
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
    this.join();
    return this.enter("on");
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
    if (this.options.deviceId || !track) return;
    const devices = await navigator.mediaDevices.enumerateDevices();
    const usual = devices.find(({ kind, deviceId }) => kind === "audioinput" && deviceId === "default");
    const { groupId } = track.getSettings();
    if (usual && groupId && usual.groupId !== groupId) this.use(this.options);
  }

  join() {
    this.source?.disconnect();
    this.source = null;
    const context = /** @type {AudioContext | undefined} */ (this.target?.context);
    if (!this.stream || !this.target || !context) return;
    this.source = context.createMediaStreamSource(this.stream);
    this.source.connect(this.target);
  }

  release() {
    this.source?.disconnect();
    this.source = null;
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

/** @param {MicrophoneOptions} options @returns {MediaTrackConstraints} */
function constraints({ deviceId, echoCancellation = true, noiseSuppression = true, autoGainControl = true }) {
  return { deviceId: deviceId ? { exact: deviceId } : undefined, echoCancellation, noiseSuppression, autoGainControl, channelCount: 1 };
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
