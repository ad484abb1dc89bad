/**
 * The worker that encodes: frames of 20 ms come by a port of its own from the audio thread, and go back there as Opus packets, each with the flags
 * that its frame had. WebCodecs isn't to be had in an AudioWorklet, and the page's thread has better things to do.
 */

/** Microseconds of the frames that come. */
const FRAME_US = 20_000;
/** From here on packets get a constant size: peaks of a variable one would be longer than listeners keep. */
const CONSTANT_FROM = 48_000;

class Encoder {
  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
    /** Flags of the packets that the encoder still owes, in order. @type {number[]} */
    this.owed = [];
    /** Frames in the packet that is being filled, and their flags. */
    this.filled = 0;
    this.flags = 0;
    this.perPacket = 1;
    this.timestamp = 0;
    /** What the core wants, until it is followed. */
    this.advice = 0;
    /** @type {AudioEncoder | null} */
    this.encoder = null;
    port.onmessage = ({ data }) => (data.pcm ? this.onFrame(data.pcm, data.flags) : this.onAdvice(data.advice));
  }

  /** @param {number} advice */
  onAdvice(advice) {
    this.advice = advice;
    if (this.filled === 0) this.follow();
  }

  /** @param {ArrayBuffer} pcm @param {number} flags */
  onFrame(pcm, flags) {
    if (this.advice && this.filled === 0) this.follow();
    if (this.encoder) {
      this.add(pcm, flags);
      // The last frames of a talkspurt don't wait for a whole packet.
      while (flags & 4 && this.filled > 0) this.add(new ArrayBuffer(pcm.byteLength), 0);
    }
    this.port.postMessage({ flags: 0, spare: pcm }, [pcm]);
  }

  /** @param {ArrayBuffer} pcm @param {number} flags */
  add(pcm, flags) {
    const numberOfFrames = pcm.byteLength / 2;
    const data = new AudioData({
      format: "s16", sampleRate: 48_000, numberOfChannels: 1, numberOfFrames, timestamp: this.timestamp, data: pcm,
    });
    this.timestamp += FRAME_US;
    this.encoder?.encode(data);
    data.close();
    this.flags |= flags;
    if (++this.filled < this.perPacket) return;
    this.owed.push(this.flags);
    this.filled = this.flags = 0;
  }

  /** Follows the advice: bits as `encoder_advice` in web/src/abi.rs packs them. */
  follow() {
    const { advice } = this;
    this.advice = 0;
    const bitrate = advice & 0x1ffff;
    const frameMs = advice >>> 23;
    this.perPacket = Math.max(1, Math.round(frameMs / 20));
    const encoder = this.encoder ?? this.make();
    // TypeScript's library doesn't know all of what Opus may be told.
    /** @type {any} */
    const opus = {
      application: "voip",
      signal: "voice",
      complexity: 9,
      format: "opus",
      frameDuration: this.perPacket * FRAME_US,
      packetlossperc: (advice >>> 17) & 31,
      useinbandfec: ((advice >>> 22) & 1) === 1,
      usedtx: false,
    };
    encoder.configure({
      codec: "opus",
      sampleRate: 48_000,
      numberOfChannels: 1,
      bitrate,
      bitrateMode: bitrate >= CONSTANT_FROM ? "constant" : "variable",
      opus,
    });
  }

  make() {
    this.encoder = new AudioEncoder({
      output: (chunk) => this.onPacket(chunk),
      error: (error) => this.onError(error),
    });
    return this.encoder;
  }

  /** @param {EncodedAudioChunk} chunk */
  onPacket(chunk) {
    const packet = new ArrayBuffer(chunk.byteLength);
    chunk.copyTo(packet);
    this.port.postMessage({ packet, flags: this.owed.shift() ?? 0 }, [packet]);
  }

  /** @param {DOMException} error */
  onError(error) {
    this.encoder = null;
    this.owed.length = this.filled = 0;
    self.postMessage({ failed: error.message });
  }
}

self.onmessage = ({ data }) => new Encoder(data.port);
