/**
 * Calls of the engine in the audio thread. Before it is there, what is wanted is remembered; so a page may say everything before `start`, and a second
 * `start` finds all as it was.
 */

/** @typedef {import("./protocol.js").ToWorklet} ToWorklet */
/** @typedef {import("./protocol.js").Call} Call */

const encoder = new TextEncoder();

export class Engine {
  constructor() {
    /** @type {((message: ToWorklet, transfer?: Transferable[]) => void) | null} */
    this.post = null;
    /** What holds beyond a session, by what it is about. @type {Map<string, Call>} */
    this.wishes = new Map();
    /** @type {Map<number, (value: any) => void>} */
    this.asked = new Map();
    this.lastReply = 0;
  }

  /** The engine is there, or not any more. @param {Engine["post"]} post */
  attach(post) {
    this.post = post;
    for (const wish of this.wishes.values()) post?.(wish);
    if (post) return;
    for (const answer of this.asked.values()) answer(undefined);
    this.asked.clear();
  }

  /** Wants something from now on, until told otherwise. @param {string} about @param {string} name @param {readonly number[]} args @param {Uint8Array} [bytes] */
  wish(about, name, args, bytes) {
    // What was wished last comes last.
    this.wishes.delete(about);
    /** @type {Call} */
    const call = { type: "call", name, args, bytes };
    this.wishes.set(about, call);
    this.post?.(call);
  }

  /** Wants it no longer. @param {string} about */
  forget(about) {
    this.wishes.delete(about);
  }

  /** Calls now or never. @param {string} name @param {readonly number[]} args @param {Uint8Array} [bytes] */
  call(name, args, bytes) {
    this.post?.({ type: "call", name, args, bytes });
  }

  /** The same, and wants to know what it returns; undefined without an engine. @param {string} name @param {readonly number[]} args @param {Uint8Array} [bytes] @returns {Promise<number | undefined>} */
  ask(name, args, bytes) {
    return this.expect((reply) => ({ type: "call", name, args, bytes, reply }));
  }

  /** @returns {Promise<{ bytes: ArrayBuffer, load: number } | undefined>} */
  stats() {
    return this.expect((reply) => ({ type: "stats", reply }));
  }

  /** @param {number} reply @param {any} value */
  answer(reply, value) {
    this.asked.get(reply)?.(value);
    this.asked.delete(reply);
  }

  /** @param {(reply: number) => ToWorklet} message @returns {Promise<any>} */
  expect(message) {
    const { post } = this;
    if (!post) return Promise.resolve(undefined);
    const reply = ++this.lastReply;
    return new Promise((done) => {
      this.asked.set(reply, done);
      post(message(reply));
    });
  }
}

/** @param {string} text */
export const utf8 = (text) => encoder.encode(text);
