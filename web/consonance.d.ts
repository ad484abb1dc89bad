/**
 * Voice in a web page: the types of `consonance.js`. Everything that the protocol does is done by the core, compiled to wasm, inside an AudioWorklet; the
 * binding brings it together with the browser's connection, microphone and loudspeaker. README.md shows a page in 30 lines.
 *
 * Levels are in dBFS, from -100 (nothing) to 0; volumes in percent, 0 to 200; positions in metres, x to the right, y away from the listener.
 */

/** What the browser lacks, in words for people; empty where nothing is missing. */
export interface Missing {
  /** What is needed to hear anybody. */
  readonly listen: readonly string[];
  /** What is needed to speak, besides. */
  readonly talk: readonly string[];
}

/** Looks whether this browser can listen and talk. */
export function missing(): Missing;

export interface Options {
  /** What the others see: 1 to 64 bytes of UTF-8. */
  name: string;
  /** What the server wants to be told, at most 512 bytes. */
  password?: string;
  /** Rooms to be in from the start. */
  rooms?: readonly string[];
  /** Where offers go; `/offer` of the page's own server if nothing is said. */
  server?: string | URL;
  /** Where `processor.js`, `encoder.js` and `consonance.wasm` are; beside `consonance.js` if nothing is said. */
  base?: string | URL;
  /** For `RTCPeerConnection`, where a network needs TURN. */
  iceServers?: RTCIceServer[];
  /** Voice in bit/s before the network has a say, 10,000 to 64,000: 24,000. */
  bitrate?: number;
}

export type Status = "disconnected" | "connecting" | "joining" | "connected" | "degraded" | "reconnecting";

/**
 * Why the status is what it is. `kicked`, `banned`, `audio-failed` and what begins with `refused` end the attempt, apart from `refused-full`; everything
 * else mends itself.
 */
export type Reason =
  | "not-started" | "wanted" | "transport-up" | "transport-down" | "no-answer" | "joined" | "resumed" | "silence" | "heard-again"
  | "lane-broken" | "wrong-session" | "server-stopped" | "kicked" | "banned" | "closed"
  | "refused-password" | "refused-tries" | "refused-full" | "refused-version" | "refused"
  // The audio thread failed soon after it was started, or couldn't be started again.
  | "audio-failed";

/** How one's voice is sent: only while `setTalking(true)`, while one speaks, or always. */
export type Activation = "push" | "voice" | "open";

export type Priority = "low" | "default" | "medium" | "high";

export interface Room {
  /** Stays the same while one uses the room. */
  readonly handle: number;
  readonly name: string;
  /** The server's number for it; null until it has given one. */
  readonly id: number | null;
  /** Whether one's voice goes there; not while one whispers. */
  readonly talking: boolean;
}

/** Why somebody isn't heard; null while they are, or will be in a moment. The first that holds, in the order of web/src/unheard.rs. */
export type Unheard =
  | "muted-by-me" | "deafened" | "muted-themselves" | "muted-by-server" | "not-in-my-room" | "reconnecting" | "lower-priority"
  | "lost" | "late" | "no-voice-free" | "not-connected" | "silent"
  // Their volume is zero, or they are placed beyond where anything is heard.
  | "turned-down" | "too-far";

export interface Person {
  readonly id: number;
  readonly name: string;
  /** Server's numbers of the rooms they are in. */
  readonly rooms: readonly number[];
  /** Their voice comes in here, whether it sounds or not. */
  readonly speaking: boolean;
  /** They sound here, now. */
  readonly audible: boolean;
  readonly muted: boolean;
  readonly deafened: boolean;
  readonly serverMuted: boolean;
  readonly reconnecting: boolean;
  readonly mutedHere: boolean;
  readonly volume: number;
  /** They speak to me alone. */
  readonly whispering: boolean;
  readonly unheard: Unheard | null;
}

export interface Me {
  /** null before joining. */
  readonly id: number | null;
  readonly name: string;
  /** Voice is being sent. */
  readonly speaking: boolean;
  readonly muted: boolean;
  readonly deafened: boolean;
  readonly serverMuted: boolean;
  /** Nobody would hear, so nothing is sent. */
  readonly nobodyHears: boolean;
  readonly priority: Priority;
  readonly activation: Activation;
  /** The level from which `voice` activation takes a sound for speech, dBFS. */
  readonly threshold: number;
  /** Whom one whispers to; while there is anybody, rooms hear nothing. */
  readonly whisperingTo: readonly number[];
}

/** All that a page shows. A new object whenever something has changed, at most 20 times a second; never changed in place. */
export interface State {
  readonly status: Status;
  readonly reason: Reason;
  readonly me: Me;
  readonly rooms: readonly Room[];
  /** Everybody else, in order of their ids. */
  readonly people: readonly Person[];
  readonly microphone: MicrophoneState;
  /** `suspended`: the browser wants a click before there is sound; `start()` in its handler. */
  readonly sound: "running" | "suspended" | "none";
}

export type MicrophoneState =
  | "off" | "asking" | "on" | "denied" | "missing" | "busy" | "unsupported"
  // It is taken, but the system or the browser gives nothing of it now, as during a phone call; it comes back by itself.
  | "paused";

/** 20 times a second while sound runs. */
export interface Levels {
  /** What the microphone hears, after the browser's processing. */
  readonly microphone: number;
  /** Voice activation takes it for speech, or the key is held. */
  readonly open: boolean;
  /** By person's id; only who sounds. */
  readonly people: ReadonlyMap<number, number>;
}

export interface Text {
  readonly from: number;
  /** Their name when it came. */
  readonly name: string;
  /** The server's number of the room; null: to me alone. */
  readonly room: number | null;
  readonly text: string;
}

export interface PersonStats {
  readonly id: number;
  readonly received: number;
  readonly lost: number;
  readonly late: number;
  readonly recovered: number;
  readonly concealedMs: number;
  readonly jitterMs: number;
  /** Of the last second, 0 to 1. */
  readonly loss: number;
  /** How long voice waits here before it is played. */
  readonly playoutMs: number;
  readonly targetMs: number;
  readonly direct: boolean;
}

export interface Stats {
  /** null until it is known. */
  readonly rttMs: number | null;
  readonly rttVariationMs: number;
  /** Bytes of voice and control, both ways, without what the transport adds. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly bitrate: number;
  readonly frameMs: number;
  /** Loss that the listeners report of one's own voice, 0 to 1. */
  readonly reportedLoss: number;
  /** Blocks that the loudspeaker wanted and did not get in time. */
  readonly underruns: number;
  /** Share of real time that the audio thread works, 0 to 1, over the last seconds. */
  readonly load: number;
  /** Packets dropped, by reason; only who isn't zero. */
  readonly drops: Readonly<Record<string, number>>;
  readonly people: readonly PersonStats[];
  /** The browser's own numbers of the connection: the pair of addresses in use and its RTT. */
  readonly path: { readonly local: string; readonly remote: string; readonly relayed: boolean } | null;
}

export interface MicrophoneOptions {
  deviceId?: string;
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
}

export interface VoiceEvents {
  state: CustomEvent<State>;
  levels: CustomEvent<Levels>;
  text: CustomEvent<Text>;
  /** Something that people should know and that no state shows, in words. */
  notice: CustomEvent<string>;
}

/** One person in one session. */
export class Voice extends EventTarget {
  constructor(options: Options);
  /** The last state told. */
  readonly state: State;
  /** Sound: where one's own sounds may be added; null before `start`. */
  readonly context: AudioContext | null;
  /** The mix that is heard, for a recorder or an analyser; null before `start`. */
  readonly output: AudioNode | null;

  /** Connects and begins to sound; in the handler of a click, or the browser keeps it silent. Calling it again wakes suspended sound. */
  start(): Promise<void>;
  /** Leaves, and gives up microphone and loudspeaker. */
  stop(): Promise<void>;

  /**
   * Takes the microphone, or another one; asks the person the first time. A device that isn't there is replaced by the usual one. Never throws:
   * `state.microphone` says what came of it, and the promise too; where they differ, this one can't be had, and the one from before is kept.
   */
  useMicrophone(options?: MicrophoneOptions): Promise<MicrophoneState>;
  dropMicrophone(): void;
  /** The loudspeaker to use; false where the browser can't choose. */
  useLoudspeaker(deviceId: string): Promise<boolean>;
  /** Whether one hears oneself, as the others would: a test of the microphone. */
  setHearSelf(on: boolean): void;

  join(room: string): void;
  leave(room: string): void;
  /** Whether one's voice goes to a room that one is in. */
  setTalkingTo(room: string, on: boolean): void;
  whisper(person: number, on: boolean): void;

  setActivation(activation: Activation): void;
  /** dBFS. */
  setThreshold(level: number): void;
  /** The key of push-to-talk is held. */
  setTalking(on: boolean): void;
  setMuted(on: boolean): void;
  setDeafened(on: boolean): void;
  setPriority(priority: Priority): void;
  setPersonMuted(person: number, on: boolean): void;
  setPersonVolume(person: number, percent: number): void;
  /** Where somebody is heard from, whatever they say themselves; null: in the middle, and not fading. */
  setPersonPosition(person: number, position: readonly [x: number, y: number] | null): void;
  /** Ranges in metres: as loud as sent up to `near`, silent from `far` on. */
  setSpace(near: number, far: number): void;

  /** At most 2,000 bytes of UTF-8. Resolves to why it couldn't be sent, in words, or null. */
  sendText(to: { room: string } | { person: number }, text: string): Promise<string | null>;

  stats(): Promise<Stats>;

  addEventListener<K extends keyof VoiceEvents>(type: K, listener: (event: VoiceEvents[K]) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
  removeEventListener<K extends keyof VoiceEvents>(type: K, listener: (event: VoiceEvents[K]) => void, options?: EventListenerOptions | boolean): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: EventListenerOptions | boolean): void;
}
