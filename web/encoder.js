/**
 * The worker that encodes: frames of 20 ms come by a port of its own from the audio thread, and go back there as Opus packets, each with the flags
 * that its frame had. WebCodecs isn't to be had in an AudioWorklet, and the page's thread has better things to do.
 */

/** Microseconds of the frames that come. */
const FRAME_US = 20_000;
/** From here on packets get a constant size: peaks of a variable one would be longer than listeners keep. */
const CONSTANT_FROM = 48_000;
/** How long to wait before another encoder is tried, ms, from failure to failure; after the last one there is none. */
const BACK_OFF_MS = [100, 1_000, 5_000];
/** One that has worked for so long is no failure among others, ms. */
const WORKED_MS = 30_000;

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
    /** What the core wants. */
    this.advice = 0;
    this.isFollowed = true;
    /** @type {AudioEncoder | null} */
    this.encoder = null;
    this.madeAt = 0;
    this.failures = 0;
    port.onmessage = ({ data }) => (data.pcm ? this.onFrame(data.pcm, data.flags) : this.onAdvice(data.advice));
  }

  /** @param {number} advice */
  onAdvice(advice) {
    this.advice = advice;
    this.isFollowed = false;
    // One that has failed is waited for.
    if (this.filled === 0 && (this.encoder || this.failures === 0)) this.follow();
  }

  /** @param {ArrayBuffer} pcm @param {number} flags */
  onFrame(pcm, flags) {
    if (!this.isFollowed && this.filled === 0 && this.encoder) this.follow();
    if (this.encoder) {
      this.add(pcm, flags);
      // The last frames of a talkspurt don't wait for a whole packet.
      while (flags & 4 && this.filled > 0 && this.encoder) this.add(new ArrayBuffer(pcm.byteLength), 0);
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
    try {
      this.encoder?.encode(data);
    } catch (error) {
      return this.onError(error);
    } finally {
      data.close();
    }
    this.flags |= flags;
    if (++this.filled < this.perPacket) return;
    this.owed.push(this.flags);
    this.filled = this.flags = 0;
  }

  /** Follows the advice: bits as `encoder_advice` in web/src/abi.rs packs them. After a second failure it asks only for what every encoder can. */
  follow() {
    this.isFollowed = true;
    const isPlain = this.failures > 1;
    this.perPacket = isPlain ? 1 : Math.max(1, Math.round((this.advice >>> 23) / 20));
    const bitrate = this.advice & 0x1ffff;
    try {
      const encoder = this.encoder ?? this.make();
      encoder.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1, bitrate, ...(isPlain ? {} : this.options(bitrate)) });
    } catch (error) {
      this.onError(error);
    }
  }

  /** @param {number} bitrate @returns {Partial<AudioEncoderConfig>} */
  options(bitrate) {
    // TypeScript's library doesn't know all of what Opus may be told.
    /** @type {any} */
    const opus = {
      application: "voip",
      signal: "voice",
      complexity: 9,
      format: "opus",
      frameDuration: this.perPacket * FRAME_US,
      packetlossperc: (this.advice >>> 17) & 31,
      useinbandfec: ((this.advice >>> 22) & 1) === 1,
      usedtx: false,
    };
    return { bitrateMode: bitrate >= CONSTANT_FROM ? "constant" : "variable", opus };
  }

  make() {
    this.madeAt = performance.now();
    /** @type {AudioEncoder} */
    const encoder = new AudioEncoder({
      output: (chunk) => encoder === this.encoder && this.onPacket(chunk),
      error: (error) => encoder === this.encoder && this.onError(error),
    });
    this.encoder = encoder;
    return encoder;
  }

  /** @param {EncodedAudioChunk} chunk */
  onPacket(chunk) {
    const packet = new ArrayBuffer(chunk.byteLength);
    chunk.copyTo(packet);
    this.port.postMessage({ packet, flags: this.owed.shift() ?? 0 }, [packet]);
  }

  /** @param {unknown} error */
  onError(error) {
    if (performance.now() - this.madeAt > WORKED_MS) this.failures = 0;
    this.encoder = null;
    this.owed.length = this.filled = this.flags = 0;
    const wait = BACK_OFF_MS[this.failures++];
    if (wait) setTimeout(() => this.follow(), wait);
    else self.postMessage({ failed: error instanceof Error ? error.message : String(error) });
  }
}

self.onmessage = ({ data }) => new Encoder(data.port);
