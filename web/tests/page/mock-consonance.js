/**
 * Stands in for consonance.js in the tests of the page: the same API without network and sound. A test says what happens by `globalThis.mock`, and reads there what the page asked for;
 * `globalThis.mockPlan`, set before the page loads, says how joining goes.
 */

const plan = { microphone: "on", sound: "running", refuse: null, missing: { listen: [], talk: [] }, people: [], textProblem: null, stats: {}, ...globalThis.mockPlan };

export const missing = () => plan.missing;

const person = (changes) => ({
  id: 1, name: "Anna", rooms: [1], speaking: false, audible: false, muted: false, deafened: false, serverMuted: false, reconnecting: false,
  mutedHere: false, volume: 100, whispering: false, unheard: null, ...changes,
});

const mock = (globalThis.mock = {
  plan, person,
  /** @type {Voice | null} */
  voice: null,
  /** What the page asked for: the method's name, then its arguments. */
  calls: [],
  state: (changes) => mock.voice.change(changes),
  me: (changes) => mock.voice.change({ me: { ...mock.voice.state.me, ...changes } }),
  people: (list) => mock.voice.change({ people: list.map(person) }),
  change: (id, changes) => mock.voice.change({ people: mock.voice.state.people.map((each) => (each.id === id ? { ...each, ...changes } : each)) }),
  levels: (microphone, open, people = {}) => mock.voice.tell("levels", { microphone, open, people: new Map(Object.entries(people).map(([id, level]) => [Number(id), level])) }),
  text: (text) => mock.voice.tell("text", text),
  notice: (words) => mock.voice.tell("notice", words),
});

export class Voice extends EventTarget {
  context = null;
  output = null;

  constructor(options) {
    super();
    this.options = options;
    this.state = {
      status: "disconnected", reason: "not-started", rooms: [], people: [], microphone: "off", sound: plan.sound,
      me: { id: null, name: options.name, speaking: false, muted: false, deafened: false, serverMuted: false, nobodyHears: false, priority: "default", activation: "open", threshold: -60, whisperingTo: [] },
    };
    mock.voice = this;
    mock.calls.push(["new", options]);
    for (const room of options.rooms ?? []) this.#addRoom(room);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  change(changes) {
    this.state = { ...this.state, ...changes };
    this.tell("state", this.state);
  }

  async start() {
    mock.calls.push(["start"]);
    if (this.state.status !== "disconnected") return this.change({ sound: "running" });
    this.change({ status: "connecting", reason: "wanted" });
    await Promise.resolve();
    if (plan.refuse && !(plan.refuse === "refused-password" && this.options.password === "sesame")) return this.change({ status: "disconnected", reason: plan.refuse });
    this.change({ status: "connected", reason: "joined", me: { ...this.state.me, id: 99 }, people: plan.people.map(person) });
  }

  async stop() {
    mock.calls.push(["stop"]);
    this.change({ status: "disconnected", reason: "wanted", people: [] });
  }

  async useMicrophone(options) {
    mock.calls.push(["useMicrophone", options]);
    this.change({ microphone: "asking" });
    await Promise.resolve();
    this.change({ microphone: plan.microphone });
    return plan.microphone;
  }

  dropMicrophone() {
    this.#note("dropMicrophone", []);
    this.change({ microphone: "off" });
  }

  async useLoudspeaker(...args) {
    return this.#note("useLoudspeaker", args), true;
  }

  setHearSelf(...args) { this.#note("setHearSelf", args); }

  join(room) {
    this.#note("join", [room]);
    this.#addRoom(room);
    this.change({});
  }

  leave(room) {
    this.#note("leave", [room]);
    this.change({ rooms: this.state.rooms.filter(({ name }) => name !== room) });
  }

  setTalkingTo(room, on) {
    this.#note("setTalkingTo", [room, on]);
    this.change({ rooms: this.state.rooms.map((each) => (each.name === room ? { ...each, talking: on } : each)) });
  }

  whisper(id, on) {
    this.#note("whisper", [id, on]);
    const others = this.state.me.whisperingTo.filter((each) => each !== id);
    this.#me({ whisperingTo: on ? [...others, id] : others });
  }

  setActivation(activation) { this.#note("setActivation", [activation]); this.#me({ activation }); }
  setThreshold(threshold) { this.#note("setThreshold", [threshold]); this.#me({ threshold }); }
  setTalking(...args) { this.#note("setTalking", args); }
  setMuted(muted) { this.#note("setMuted", [muted]); this.#me({ muted }); }
  setDeafened(deafened) { this.#note("setDeafened", [deafened]); this.#me({ deafened }); }
  setPriority(priority) { this.#note("setPriority", [priority]); this.#me({ priority }); }
  setPersonMuted(id, mutedHere) { this.#note("setPersonMuted", [id, mutedHere]); this.#person(id, { mutedHere }); }
  setPersonVolume(id, volume) { this.#note("setPersonVolume", [id, volume]); this.#person(id, { volume }); }
  setPersonPosition(...args) { this.#note("setPersonPosition", args); }
  setSpace(...args) { this.#note("setSpace", args); }

  async sendText(...args) {
    return this.#note("sendText", args), plan.textProblem;
  }

  async stats() {
    return {
      rttMs: 23, rttVariationMs: 2, bytesIn: 1_200_000, bytesOut: 340_000, bitrate: 24_000, frameMs: 20, reportedLoss: 0.004, underruns: 0, load: 0.06, drops: { late: 3 },
      people: this.state.people.map(({ id }) => ({ id, received: 900, lost: 4, late: 1, recovered: 3, concealedMs: 20, jitterMs: 6 + id, loss: 0.01, playoutMs: 42, targetMs: 40, direct: false })),
      path: { local: "192.0.2.7:50312", remote: "198.51.100.3:7758", relayed: false }, ...plan.stats,
    };
  }

  #addRoom(name) {
    if (this.state.rooms.some((room) => room.name === name)) return;
    const handle = 1 + Math.max(0, ...this.state.rooms.map((room) => room.handle));
    this.state = { ...this.state, rooms: [...this.state.rooms, { handle, name, id: handle, talking: true }] };
  }

  #note(name, args) { mock.calls.push([name, ...args]); }
  #me(changes) { queueMicrotask(() => this.change({ me: { ...this.state.me, ...changes } })); }
  #person(id, changes) { queueMicrotask(() => this.change({ people: this.state.people.map((each) => (each.id === id ? { ...each, ...changes } : each)) })); }
}
