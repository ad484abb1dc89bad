/** What the states of the binding are called for people: one plain sentence each. */

import { listed } from "./names.js";

/**
 * @import { MicrophoneState, Person, Reason, State, Unheard } from "../consonance.js"
 */

/** Reasons that end the attempt: the page goes back to its door with these words. */
/** @type {Partial<Record<Reason, string>>} */
const ENDS = {
  "kicked": "You have been removed from the server. You can come back, unless its owner minds.",
  "closed": "The server has ended your connection. You can come back.",
  "banned": "You aren't let in on this server any more.",
  "refused-password": "This server wants a password.",
  "refused-tries": "Too many wrong passwords. Wait a minute, then try again.",
  "refused-version": "This page and the server don't fit together. Load the page anew; if that doesn't help, tell the server's owner.",
  "refused": "The server doesn't let you in.",
  "audio-failed": "This browser can't keep the sound going, so you are out of the talk. Load the page anew; if that doesn't help, try another browser.",
};

/**
 * Why the attempt is over, or null while it isn't.
 * @param {Reason} reason
 */
export const ending = (reason) => ENDS[reason] ?? null;

/**
 * @param {State} state
 * @returns {{ tone: "good" | "busy" | "bad", text: string }}
 */
export function connectionWords({ status, reason }) {
  switch (status) {
    case "connected": return { tone: "good", text: "Connected" };
    case "degraded": return { tone: "bad", text: "Hardly any answer" };
    case "reconnecting": return { tone: "bad", text: "Reconnecting…" };
    case "connecting": return { tone: "busy", text: reason === "no-answer" ? "No answer yet…" : "Connecting…" };
    case "joining": return { tone: "busy", text: "Joining…" };
    default: return { tone: "bad", text: "Not connected" };
  }
}

/**
 * Why the connection is being made anew.
 * @param {Reason} reason
 */
export function reconnectingWords(reason) {
  if (reason === "refused-full") return "The server has become full meanwhile. You come back as soon as somebody leaves.";
  if (!navigator.onLine) return "This device has no network. You come back by yourself as soon as it has.";
  if (reason === "server-stopped") return "The server is being restarted. You come back by yourself.";
  return "The connection is gone. You come back by yourself as soon as there is one.";
}

/** @type {Record<Unheard, string>} */
const UNHEARD = {
  "muted-by-me": "You don't hear them: you have muted them.",
  "deafened": "You don't hear them: you have chosen to hear nobody.",
  "turned-down": "You don't hear them: their volume is turned down to nothing.",
  "too-far": "You don't hear them: they are too far away on the map.",
  "muted-themselves": "You don't hear them: they have muted themselves.",
  "muted-by-server": "You don't hear them: the server has muted them.",
  "not-in-my-room": "You don't hear them: they are in another room.",
  "reconnecting": "You don't hear them: their connection is gone, and they are trying to come back.",
  "lower-priority": "You don't hear them: somebody more urgent is speaking.",
  "lost": "You don't hear them: their voice gets lost on the way.",
  "late": "You don't hear them: their voice arrives too late to be played.",
  "no-voice-free": "You don't hear them: too many people are speaking at once.",
  "not-connected": "You don't hear them: you aren't connected just now.",
  "silent": "They are saying nothing just now.",
};

/**
 * Whether and why somebody isn't heard, in one sentence.
 * @param {Person} person
 */
export function hearing(person) {
  if (person.unheard && person.unheard !== "silent") return UNHEARD[person.unheard];
  if (person.audible) return person.whispering ? "You hear them: they whisper to you alone." : "You hear them.";
  return person.unheard ? UNHEARD[person.unheard] : "Nothing is in the way between you.";
}

/**
 * A few words beside a name.
 * @param {Person} person
 */
export function briefly(person) {
  if (person.reconnecting) return "reconnecting…";
  if (person.audible) return person.whispering ? "whispers to you" : "speaking";
  if (person.mutedHere) return person.speaking ? "speaking, muted by you" : "muted by you";
  if (person.serverMuted) return "muted by the server";
  if (person.muted) return person.deafened ? "muted, hears nobody" : "muted";
  if (person.speaking) return stopped(person.unheard);
  if (person.unheard === "not-in-my-room") return "in another room";
  return person.deafened ? "hears nobody" : "listening";
}

/** @param {Unheard | null} unheard */
function stopped(unheard) {
  switch (unheard) {
    case "lost": return "speaking, but it gets lost";
    case "late": return "speaking, but it comes late";
    case "lower-priority": return "speaking, less urgent";
    case "no-voice-free": return "speaking, one too many";
    case "deafened": return "speaking, you hear nobody";
    case "too-far": return "speaking, too far away";
    case "turned-down": return "speaking, turned down";
    default: return "speaking";
  }
}

/** @type {Record<Exclude<MicrophoneState, "on">, string>} */
const NO_MICROPHONE = {
  off: "They can't hear you: you only listen.",
  asking: "They can't hear you yet: your browser asks for the microphone.",
  denied: "They can't hear you: the microphone is denied.",
  missing: "They can't hear you: there is no microphone.",
  busy: "They can't hear you: another program has the microphone.",
  paused: "They can't hear you: this device or the browser has paused your microphone.",
  unsupported: "They can't hear you: this browser can't send voice.",
};

/**
 * Whether the others hear me, and if not, why.
 * @param {State} state
 * @param {boolean} open the microphone's gate is open
 * @param {string} key what the key of push-to-talk is called
 * @param {ReadonlyMap<number, string>} names
 * @returns {{ heard: boolean, blocked: boolean, text: string }}
 */
export function myWords(state, open, key, names) {
  const blocked = whyUnheard(state);
  if (blocked) return { heard: false, blocked: true, text: blocked };
  // To be alone is no fault.
  if (state.me.nobodyHears && !state.me.whisperingTo.length) return { heard: false, blocked: false, text: "Nobody is there to hear you." };
  const whispering = state.me.whisperingTo.map((id) => names.get(id) ?? "somebody who left");
  const heard = state.me.speaking || open;
  if (whispering.length) return { heard, blocked: false, text: heard ? `Only ${listed(whispering)} can hear you.` : `You whisper: only ${listed(whispering)} would hear you.` };
  if (heard) return { heard, blocked: false, text: "They hear you." };
  return { heard, blocked: false, text: invitation(state.me.activation, key) };
}

/** @param {State} state */
function whyUnheard({ status, me, rooms, microphone }) {
  if (status !== "connected" && status !== "degraded") return "They can't hear you: you aren't connected.";
  if (microphone !== "on") return NO_MICROPHONE[microphone];
  if (me.serverMuted) return "They can't hear you: the server has muted you.";
  if (me.muted) return "They can't hear you: you are muted.";
  if (me.whisperingTo.length) return null;
  if (!rooms.length) return "They can't hear you: you are in no room.";
  if (!rooms.some((room) => room.talking)) return "They can't hear you: your voice goes to none of your rooms.";
  return null;
}

/**
 * @param {State["me"]["activation"]} activation
 * @param {string} key
 */
function invitation(activation, key) {
  if (activation === "push") return `Hold the button or ${key}, and they hear you.`;
  return activation === "voice" ? "Speak, and they hear you." : "They hear all that your microphone hears.";
}
