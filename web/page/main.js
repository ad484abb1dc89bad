/** Brings the views together with the binding: from the door into the talk, and back. */

import { missing, Voice } from "../consonance.js";
import { app, isConnected } from "./app.js";
import { tell, toast } from "./announce.js";
import { updateBars } from "./bars.js";
import { button, part, setAttribute, setText, show } from "./dom.js";
import { askPassword, setUpDoor, showDoor, showMissing, showProblem, showProgress, suggestName } from "./door.js";
import { letGo, listenForKey } from "./hold.js";
import { forgetLine, setUpLine } from "./line.js";
import { roomsIn } from "./links.js";
import { lightMap, prepareSpace, seat, setUpMap, unseat, updateMap } from "./map.js";
import { cleanName, listed } from "./names.js";
import { tellOtherTabs, watchOtherTabs } from "./other-tabs.js";
import { updatePeople, updateRings, welcome } from "./people.js";
import { forgetEverybody, whoChanged } from "./presence.js";
import { roomProblem, setUpRooms, updateRooms } from "./rooms.js";
import { forgetSound, setUpSound, takeLoudspeaker, takeMicrophone, updateSound } from "./sound.js";
import { open, setUpTabs } from "./tabs.js";
import { prepareTalk, setUpTalk, updateMeters, updateTalk } from "./talk.js";
import { forgetTexts, note, receive, setUpTexts, updateTargets } from "./texts.js";
import { titlePlace } from "./title.js";
import { connectionWords, ending } from "./words.js";

/**
 * @import { State } from "../consonance.js"
 * @import { Wish } from "./door.js"
 */

/** More comings and goings than this at once are a server's restart or a big room, not news. */
const NEWS = 3;
/** A page that is still there so long after it was about to close stays. */
const STAYS_MS = 3_000;

setUpDoor({ enter, giveUp: () => void leave(null) });
setUpTabs();
setUpTexts();
setUpRooms();
setUpMap();
setUpSound();
setUpLine();
setUpTalk();
listenForKey();
showMissing(missing());
button("leave-all").addEventListener("click", () => void leave(null));
addEventListener("hashchange", joinLinked);
watchOtherTabs(onOtherTabs);
for (const end of ["beforeunload", "pagehide"]) addEventListener(end, sayGoodbye);
document.documentElement.dataset.ready = "";

/** @param {Wish} wish */
function enter({ name, rooms, password, talk }) {
  const voice = new Voice({ name, rooms, ...(password && { password }) });
  app.voice = voice;
  app.state = null;
  voice.addEventListener("state", ({ detail }) => voice === app.voice && update(detail));
  voice.addEventListener("levels", ({ detail }) => {
    if (voice !== app.voice) return;
    updateMeters(detail);
    updateRings(detail);
    lightMap(detail);
  });
  voice.addEventListener("text", ({ detail }) => voice === app.voice && receive(detail));
  voice.addEventListener("notice", ({ detail }) => voice === app.voice && notice(detail));
  showProgress("Connecting…");
  prepareTalk();
  prepareSpace();
  start(voice, talk);
}

/**
 * Troubles of connecting stand beside what is said of it; they come with each attempt, and slips would pile up.
 * @param {string} words
 */
function notice(words) {
  if (isConnected()) return toast(words);
  app.trouble = words.replace(/\.$/, "");
  if (!part("talk-room").hidden) updateBars(app.state);
  else showProgress(`${app.trouble}. Trying again…`);
}

/**
 * Asks for the microphone beside connecting: one listens meanwhile.
 * @param {Voice} voice
 * @param {boolean} talk
 */
function start(voice, talk) {
  const failed = (/** @type {unknown} */ error) => {
    if (voice === app.voice) void leave(`It didn't start: ${error instanceof Error ? error.message : String(error)}`);
  };
  voice.start().then(takeLoudspeaker).catch(failed);
  if (talk) takeMicrophone().catch(failed);
}

/** @param {State} state */
function update(state) {
  const end = ending(state.reason);
  if (end && state.status === "disconnected") return void refused(state, end);
  const wasConnected = isConnected();
  app.state = state;
  if (isConnected()) app.trouble = "";
  if (isConnected() && !wasConnected && !part("talk-room").hidden) tell("Connected again.");
  if (part("talk-room").hidden) {
    if (state.status !== "connected") return showProgress(waiting(state));
    comeIn(state);
  }
  greet(state);
  updateChip(state);
  updateBars(state);
  updateRooms(state);
  updatePeople(state);
  updateTargets(state);
  updateMap(state);
  updateSound(state);
  updateTalk(state);
}

/** @param {State} state */
function waiting(state) {
  if (state.reason === "refused-full") return "The server is full. You get in as soon as somebody leaves…";
  if (app.trouble) return `${app.trouble}. Trying again…`;
  if (state.reason === "not-started" || state.reason === "wanted") return "Connecting…";
  if (state.reason === "no-answer" || state.reason === "transport-down") return "The server doesn't answer. Trying again…";
  return connectionWords(state).text;
}

/** @param {State} state */
function comeIn({ me }) {
  showProgress(null);
  showProblem(null);
  showDoor(false);
  show(part("talk-room"), true);
  tellOtherTabs(me.name, true);
  open("people");
  // Focus goes to where things happen; a phone's keyboard stays shut.
  const title = part("title");
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
}

/** @param {State} state */
function greet(state) {
  const { met, lost, came, left } = whoChanged(state);
  for (const person of met) {
    welcome(person);
    seat(person);
  }
  for (const { id } of lost) unseat(id);
  if (came.length && came.length <= NEWS) note(`${listed(came)} came`);
  if (left.length && left.length <= NEWS) note(`${listed(left)} left`);
}

/** @param {State} state */
function updateChip(state) {
  const { tone, text } = connectionWords(state);
  const chip = part("connection-chip");
  setText(chip, text);
  setAttribute(chip, "data-tone", tone);
  titlePlace(listed(state.rooms.map(({ name }) => cleanName(name)), 3) || "In no room");
}

/**
 * @param {State} state
 * @param {string} words
 */
async function refused({ reason }, words) {
  await leave(words);
  if (reason === "refused-password") askPassword();
}

/**
 * Back to the door, with the reason where there is one.
 * @param {string | null} words
 */
async function leave(words) {
  const { voice } = app;
  letGo();
  app.voice = null;
  app.state = null;
  app.trouble = "";
  tellOtherTabs("", false);
  show(part("talk-room"), false);
  showProgress(null);
  showDoor(true);
  updateBars(null);
  forgetEverybody();
  forgetTexts();
  forgetLine();
  forgetSound();
  suggestName();
  showProblem(words);
  button("join").focus();
  await voice?.stop().catch(() => {});
}

/**
 * Else the others would see somebody reconnecting who has closed the page. The earlier event leaves more time for the words to get out, but the page may
 * stay after it.
 */
function sayGoodbye() {
  const { voice } = app;
  if (!voice) return;
  void voice.stop();
  setTimeout(() => voice === app.voice && leave("You left, since the page was about to close."), STAYS_MS);
}

/** A link to another room, opened in the same tab, leads there too. */
function joinLinked() {
  const here = new Set(app.state?.rooms.map(({ name }) => name));
  for (const room of roomsIn(location)) if (app.voice && !here.has(room) && !roomProblem(room)) app.voice.join(room);
}

function onOtherTabs() {
  updateBars(app.state);
  if (!app.voice) suggestName();
}
