/** What page, audio thread and workers say to each other. */

/** What the audio thread is told once. */
export interface Setup {
  wasm: ArrayBuffer;
  name: Uint8Array;
  password: Uint8Array;
  bitrate: number;
  seed: readonly [number, number];
}

/** A function of the engine, by the name of its export; the time is put before the arguments where it wants to know it. */
export interface Call {
  type: "call";
  name: string;
  args: readonly number[];
  /** Written to the input before. */
  bytes?: Uint8Array;
  /** What it returns is wanted under this number. */
  reply?: number;
}

export type ToWorklet =
  | { type: "packet"; lane: boolean; at: number; bytes: ArrayBuffer }
  | Call
  | { type: "encoder"; port: MessagePort }
  // By which the microphone's sound comes; null: with the loudspeaker's blocks, if there is any.
  | { type: "microphone"; port: MessagePort | null }
  | { type: "stats"; reply: number }
  | { type: "tick" }
  | { type: "end" };

export type FromWorklet =
  | { type: "send"; lane: boolean; bytes: ArrayBuffer }
  // To be sent on the lane when the page is closed; empty outside the session.
  | { type: "farewell"; bytes: ArrayBuffer }
  | { type: "transport"; attempt: number }
  | { type: "tiding"; bytes: ArrayBuffer }
  | { type: "levels"; values: Float32Array }
  | { type: "reply"; reply: number; value: number }
  | { type: "stats"; reply: number; bytes: ArrayBuffer; load: number };

/** A packet, or a buffer to be used again. */
export interface FromEncoder {
  packet?: ArrayBuffer;
  flags: number;
  spare?: ArrayBuffer;
}

/** What the engine tells of its own accord. */
export type Tiding =
  | ({ kind: "state" } & Omit<import("../consonance.js").State, "microphone" | "sound">)
  | ({ kind: "text" } & import("../consonance.js").Text)
  | { kind: "notice"; text: string }
  | { kind: "refused"; number: number; why: string };

/** The exports of consonance.wasm that are no plain calls: web/src/abi.rs says what they do. */
export interface Exports {
  memory: WebAssembly.Memory;
  input(): number;
  output(): number;
  microphone(): number;
  left(): number;
  right(): number;
  pcm(): number;
  levels_buffer(): number;
  create(seedHigh: number, seedLow: number, name: number, password: number, bitrate: number): number;
  transport_wanted(): number;
  receive(now: number, reliable: number, len: number): void;
  poll_message(now: number): number;
  farewell(): number;
  render(now: number, sample: number, samples: number): void;
  take_microphone(samples: number): void;
  turn(now: number): number;
  next_frame(): number;
  take_encoded(now: number, flags: number, len: number): void;
  encoder_advice(): number;
  poll_tiding(): number;
  stats(): number;
  levels(): number;
}
