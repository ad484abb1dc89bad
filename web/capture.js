/**
 * The worker that hands the microphone's sound to the audio thread, by a port of its own, as it comes: 10 ms at a time. By a MediaStreamAudioSourceNode it
 * would come with the loudspeaker's blocks, some 15 ms later.
 */

/** Hertz: what the engine takes. */
const RATE = 48_000;
/** Buffers that are kept to be used again. */
const SPARE = 8;

class Source {
  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
    /** @type {ArrayBuffer[]} */
    this.spare = [];
    port.onmessage = ({ data }) => {
      if (this.spare.length < SPARE) this.spare.push(data);
    };
  }

  /** Until the track ends. @param {ReadableStream<AudioData>} track */
  async read(track) {
    const reader = track.getReader();
    for (;;) {
      const { value: sound, done } = await reader.read();
      if (done) return;
      const fits = sound.sampleRate === RATE;
      if (fits) this.hand(sound);
      sound.close();
      if (fits) continue;
      // Another device has taken its place.
      self.postMessage("unfit");
      return reader.cancel();
    }
  }

  /** @param {AudioData} sound */
  hand(sound) {
    const samples = this.buffer(sound.numberOfFrames);
    sound.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    if (sound.numberOfChannels > 1) this.mix(sound, samples);
    this.port.postMessage(samples.buffer, [samples.buffer]);
  }

  /** The mean of all channels, of which the first is there. @param {AudioData} sound @param {Float32Array} samples */
  mix(sound, samples) {
    const channel = new Float32Array(samples.length);
    for (let planeIndex = 1; planeIndex < sound.numberOfChannels; planeIndex++) {
      sound.copyTo(channel, { planeIndex, format: "f32-planar" });
      channel.forEach((sample, at) => (samples[at] += sample));
    }
    for (let at = 0; at < samples.length; at++) samples[at] /= sound.numberOfChannels;
  }

  /** @param {number} samples */
  buffer(samples) {
    const spare = this.spare.pop();
    return spare?.byteLength === 4 * samples ? new Float32Array(spare) : new Float32Array(samples);
  }
}

self.onmessage = ({ data }) => new Source(data.port).read(data.track);
