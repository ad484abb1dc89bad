/**
 * The connection: two data channels to the server, made by one offer (docs/WEBRTC.md). The core says when one is wanted, and when another is; what is
 * here moves bytes, and tells when it can't.
 */

/** Voice that waits in the browser for so long is too old to be sent, ms. */
const OLDEST_VOICE_MS = 100;
/** A connection that finds no way for so long is given up, ms: the core comes back by another one. */
const PATIENCE_MS = 4_000;
/** A connection whose channels aren't open so long after the answer won't come up: the server that gave it is gone. */
const OPEN_MS = 5_000;
/** Voice packets begin with this bit; what isn't voice is never left out. */
const VOICE = 0x80;

/**
 * @typedef {object} Handlers
 * @property {() => void} up Both channels are open.
 * @property {() => void} down It is over, or couldn't be made.
 * @property {(lane: boolean, bytes: ArrayBuffer) => void} message
 * @property {(words: string) => void} trouble The server said why it takes no offer.
 */

/** The connections of a session, one at a time. */
export class Connections {
  /** @param {URL} url @param {RTCConfiguration} configuration @param {Handlers} handlers */
  constructor(url, configuration, handlers) {
    this.url = url;
    this.configuration = configuration;
    this.handlers = handlers;
    /** Before this time the server wants no other offer. */
    this.notBefore = 0;
    /** @type {Connection | null} */
    this.current = null;
    /** Bit/s, to know how much voice waits. */
    this.bitrate = 24_000;
    /** What was told last, so that it isn't told at each attempt. */
    this.trouble = "";
  }

  /** Gives up what there is, and begins anew if there is an attempt. @param {number} attempt */
  want(attempt) {
    this.current?.close();
    this.current = attempt < 0 ? null : new Connection(this);
  }

  /** @param {boolean} lane @param {ArrayBuffer} bytes */
  send(lane, bytes) {
    this.current?.send(lane, bytes);
  }

  /** @param {string} words */
  tell(words) {
    if (words && words !== this.trouble) this.handlers.trouble(words);
    this.trouble = words;
  }

  /** The network is another one, or was away: what there is is no good any more. */
  abandon() {
    this.current?.fail();
  }
}

class Connection {
  /** @param {Connections} owner */
  constructor(owner) {
    this.owner = owner;
    this.over = new AbortController();
    this.peer = new RTCPeerConnection(owner.configuration);
    this.voice = this.channel("voice", { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 });
    this.lane = this.channel("lane", { negotiated: true, id: 1 });
    /** When nothing waited in the voice channel. */
    this.emptyAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.patience = undefined;
    this.peer.onconnectionstatechange = () => this.onState();
    this.begin().catch(() => this.fail());
  }

  /** @param {string} label @param {RTCDataChannelInit} options */
  channel(label, options) {
    const channel = this.peer.createDataChannel(label, options);
    channel.binaryType = "arraybuffer";
    channel.onopen = () => this.onOpen();
    channel.onclose = () => this.fail();
    channel.onmessage = ({ data }) => this.owner.handlers.message(channel === this.lane, data);
    return channel;
  }

  async begin() {
    await wait(this.owner.notBefore - Date.now(), this.over.signal);
    await this.peer.setLocalDescription();
    const answer = await fetch(this.owner.url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: this.peer.localDescription?.sdp,
      signal: this.over.signal,
    });
    const sdp = await answer.text();
    if (!answer.ok) return this.onRefused(answer, sdp);
    await this.peer.setRemoteDescription({ type: "answer", sdp });
    this.patience = setTimeout(() => this.fail(), OPEN_MS);
  }

  /** @param {Response} answer @param {string} words */
  onRefused(answer, words) {
    const seconds = Number(answer.headers.get("Retry-After")) || 0;
    this.owner.notBefore = Date.now() + 1_000 * Math.min(seconds, 60);
    this.owner.tell(`The server takes no connection now: ${words.trim() || answer.statusText || answer.status}`);
    this.fail();
  }

  onOpen() {
    if (!this.isOpen || this.over.signal.aborted) return;
    clearTimeout(this.patience);
    this.owner.tell("");
    this.owner.handlers.up();
  }

  get isOpen() {
    return this.voice.readyState === "open" && this.lane.readyState === "open";
  }

  onState() {
    const { connectionState } = this.peer;
    if (connectionState === "failed") return this.fail();
    if (!this.isOpen) return;
    clearTimeout(this.patience);
    if (connectionState === "disconnected") this.patience = setTimeout(() => this.fail(), PATIENCE_MS);
  }

  /** @param {boolean} lane @param {ArrayBuffer} bytes */
  send(lane, bytes) {
    const channel = lane ? this.lane : this.voice;
    if (channel.readyState !== "open" || (!lane && this.isStale(bytes))) return;
    try {
      channel.send(bytes);
    } catch {
      // A lane that takes no more is at an end: a gap in it would be worse. Voice may be lost.
      if (lane) this.fail();
    }
  }

  /** Whether it is voice, and too much of that waits already, for too long. A pre-roll comes all at once, and is gone at once. @param {ArrayBuffer} bytes */
  isStale(bytes) {
    const waiting = this.voice.bufferedAmount;
    const now = performance.now();
    if (waiting === 0) this.emptyAt = now;
    // One packet a message: its length is before it, in one byte or two.
    const message = new Uint8Array(bytes);
    const isVoice = (message[message[0] < 128 ? 1 : 2] & VOICE) !== 0;
    const most = (this.owner.bitrate / 8) * (OLDEST_VOICE_MS / 1_000);
    return isVoice && waiting > most && now - this.emptyAt > OLDEST_VOICE_MS;
  }

  /** It is over, and the core has to be told. */
  fail() {
    if (this.over.signal.aborted) return;
    this.close();
    this.owner.handlers.down();
  }

  close() {
    this.over.abort();
    clearTimeout(this.patience);
    this.voice.onclose = this.lane.onclose = null;
    this.peer.close();
  }

  /** The pair of addresses in use. @returns {Promise<import("../consonance.js").Stats["path"]>} */
  async path() {
    const report = await this.peer.getStats();
    const all = [...report.values()];
    const transport = all.find(({ type }) => type === "transport");
    const pair = report.get(transport?.selectedCandidatePairId) ?? all.find(({ type, nominated }) => type === "candidate-pair" && nominated);
    const local = pair && report.get(pair.localCandidateId);
    const remote = pair && report.get(pair.remoteCandidateId);
    if (!local || !remote) return null;
    return { local: address(local), remote: address(remote), relayed: local.candidateType === "relay" };
  }
}

/** Browsers hide some addresses. @param {{ address?: string, port?: number }} candidate */
const address = ({ address, port }) => (address ? `${address.includes(":") ? `[${address}]` : address}:${port}` : "hidden by the browser");

/** @param {number} ms @param {AbortSignal} signal */
const wait = (ms, signal) =>
  new Promise((done, given) => {
    if (ms <= 0) return done(undefined);
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      given(signal.reason);
    });
  });
