/**
 * Somebody in front of a page: what they hear, and what it costs.
 */
import { RATE } from "./wav.mjs";

const PIECE = 2_048;

/** Sound of 48 kHz, and when it was heard or said. */
export class Recording {
  /** `times`: when each piece of 2,048 samples began; only the first, if the others follow from it. */
  constructor(samples, times, channels = 1) {
    this.samples = samples;
    this.times = times;
    this.channels = channels;
  }

  /** What inside.js hands over. */
  static taken({ times, rate, sound }, channels) {
    if (rate !== RATE) throw new Error(`sound of ${rate} Hz; the tests expect ${RATE} Hz`);
    const bytes = Buffer.from(sound, "base64");
    return new Recording(new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2), times, channels);
  }

  /** When a sample of each channel was heard or said, ms since 1970. */
  timeAt(sample) {
    const piece = Math.min(Math.floor(sample / PIECE), this.times.length - 1);
    return this.times[piece] + ((sample - piece * PIECE) * 1_000) / RATE;
  }

  /** The sample of a moment; below 0 or beyond the end if it isn't in the recording. */
  sampleAt(time) {
    const piece = Math.max(0, this.times.findLastIndex((begin) => begin <= time));
    return piece * PIECE + Math.round(((time - this.times[piece]) * RATE) / 1_000);
  }

  get seconds() {
    return this.samples.length / this.channels / RATE;
  }

  /** One channel: 0 is left. */
  channel(number) {
    return Int16Array.from({ length: this.samples.length / this.channels }, (_, n) => this.samples[n * this.channels + number]);
  }

  /** Both ears together. */
  mono() {
    if (this.channels === 1) return this.samples;
    return Int16Array.from({ length: this.samples.length / 2 }, (_, n) => (this.samples[2 * n] + this.samples[2 * n + 1]) >> 1);
  }
}

export class Person {
  constructor(page) {
    this.page = page;
    this.complaints = [];
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
  }

  static async open(context, url) {
    const person = new Person(await context.newPage());
    await person.page.goto(url);
    return person;
  }

  /** Puts another tab in front of the page. */
  async hide() {
    // Playwright has every page believe that it is looked at; only the session that said so can take it back.
    const session = this.page._connection.toImpl(this.page).delegate._mainFrameSession._client;
    await session.send("Emulation.setFocusEmulationEnabled", { enabled: false });
    const front = await this.page.context().newPage();
    await front.bringToFront();
    await this.page.waitForFunction(() => document.visibilityState === "hidden", null, { polling: 200 });
  }

  /** The page's clock now, for `heard`. */
  now() {
    return this.page.evaluate(() => performance.now());
  }

  /** What went to the loudspeaker since a moment of the page's clock. */
  async heard(since = 0) {
    const taken = await this.page.evaluate((since) => window.consonanceTests.heard(since), since);
    if (!taken) throw new Error("the page has sent nothing to a loudspeaker yet");
    return Recording.taken(taken, 2);
  }

  /** Waits, and gives what was heard meanwhile. */
  async listen(seconds) {
    const since = await this.now();
    await this.page.waitForFunction(
      ([since, seconds]) => {
        const pieces = window.consonanceTests.ear?.pieces.filter((piece) => piece.at >= since) ?? [];
        return pieces.length * 2048 >= seconds * 48_000;
      },
      [since, seconds],
      { polling: 200, timeout: seconds * 4_000 + 10_000 },
    );
    return this.heard(since);
  }

  /** What the microphone gave: only if the browser was launched with `mouth`. */
  async said() {
    return Recording.taken(await this.page.evaluate(() => window.consonanceTests.said()), 1);
  }

  /** Tasks of the main thread longer than 50 ms since a moment of its clock, ms each. */
  longTasks(since = 0) {
    return this.page.evaluate(
      (since) => window.consonanceTests.longTasks.filter((task) => task.startTime >= since).map((task) => task.duration),
      since,
    );
  }

  /** From the last offer to the first sound louder than `threshold` dBFS, ms; null before that. */
  offerToFirstSound(threshold = -50) {
    return this.page.evaluate((threshold) => {
      const [sound, offer] = [window.consonanceTests.firstSound(threshold), window.consonanceTests.offers.at(-1)];
      return sound === null || offer === undefined ? null : sound - offer;
    }, threshold);
  }
}
