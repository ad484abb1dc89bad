/** What becomes of texts: the server says only which it does not pass on. */

import { utf8 } from "./engine.js";

/** How long the server's refusal is waited for, besides the way there and back, ms. */
const PATIENCE_MS = 300;

/** By the numbers of `Refusal` in web/src/lines.rs. @type {readonly string[]} */
const REFUSALS = [
  "",
  "not connected",
  "a text has 1 to 2,000 bytes",
  "that room or person isn't there",
  "too many texts wait already; try again",
];

export class Texts {
  /** @param {import("./engine.js").Engine} engine */
  constructor(engine) {
    this.engine = engine;
    /** By the number of the text. @type {Map<number, (why: string | null) => void>} */
    this.waiting = new Map();
    this.rttMs = 300;
  }

  /** @param {{ room: string } | { person: number }} to @param {string} text @returns {Promise<string | null>} */
  async send(to, text) {
    const bytes = utf8(text);
    const sent = "room" in to ? this.toRoom(utf8(to.room), bytes) : this.engine.ask("write_to_person", [to.person, bytes.length], bytes);
    const number = (await sent) ?? -1;
    return number < 0 ? REFUSALS[-number] : this.refusal(number);
  }

  /** @param {Uint8Array} room @param {Uint8Array} text */
  toRoom(room, text) {
    const both = new Uint8Array(room.length + text.length);
    both.set(room);
    both.set(text, room.length);
    return this.engine.ask("write_to_room", [room.length, text.length], both);
  }

  /** @param {number} number @returns {Promise<string | null>} */
  refusal(number) {
    return new Promise((done) => {
      const timer = setTimeout(() => this.settle(number, null), PATIENCE_MS + this.rttMs);
      this.waiting.set(number, (why) => {
        clearTimeout(timer);
        done(why);
      });
    });
  }

  /** @param {number} number @param {string | null} why */
  settle(number, why) {
    this.waiting.get(number)?.(why);
    this.waiting.delete(number);
  }
}
