// An AudioWorklet that hands on what comes in, in packages of 16 blocks with the context's time of the first sample.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.begin();
  }

  begin() {
    this.blocks = 0;
    this.sound = new Int16Array(2 * 128 * 16);
  }

  process([input]) {
    if (this.blocks === 0) this.time = currentTime;
    const left = input[0];
    const right = input[1] ?? left;
    const at = this.blocks * 256;
    for (let n = 0; left && n < 128; n++) {
      this.sound[at + 2 * n] = Math.max(-1, Math.min(1, left[n])) * 32767;
      this.sound[at + 2 * n + 1] = Math.max(-1, Math.min(1, right[n])) * 32767;
    }
    if (++this.blocks === 16) {
      this.port.postMessage({ time: this.time, sound: this.sound }, [this.sound.buffer]);
      this.begin();
    }
    return true;
  }
}

registerProcessor("test-recorder", Recorder);
