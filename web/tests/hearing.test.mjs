// Who hears whom, and how loud: measured in what goes to the loudspeaker.
import assert from "node:assert/strict";
import { meets, state, stateIs, talk } from "./harness/bare.mjs";
import { launch } from "./harness/browser.mjs";
import { Server, whyNoProgram } from "./harness/consonance.mjs";
import { level, loudestSecond, shareAbove } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure } from "./harness/test.mjs";

/** dBFS, of 10 ms. Whatever is above is a sound. */
const SOUND = -75;
/** What is on its way when something is switched: playout, fades, and a slow machine. */
const SETTLE_S = 1;

/** Anna, who speaks all the time, and Bert and Cleo, who listen: three pages. */
async function three(t) {
  const server = await Server.start(t);
  const speaker = await launch(t, { microphone: babble().file });
  const listeners = await launch(t);
  const anna = await talk(speaker, server, { name: "Anna" });
  const bert = await talk(listeners, server, { name: "Bert", microphone: null });
  const cleo = await talk(listeners, server, { name: "Cleo", microphone: null });
  const id = await meets(bert, "Anna");
  await meets(cleo, "Anna");
  await hears(bert, "Anna");
  await hears(cleo, "Anna");
  return { anna, bert, cleo, id };
}

const hears = (person, name) => stateIs(person, `${name} is heard`, (state, name) => state.people.find((other) => other.name === name)?.audible, name);
const silent = (person, name) => stateIs(person, `${name} isn't heard`, (state, name) => !state.people.find((other) => other.name === name)?.audible, name);

async function loudness(person) {
  await person.listen(SETTLE_S);
  return loudestSecond((await person.listen(3)).mono());
}

async function assertSilence(person, why) {
  await person.listen(SETTLE_S);
  const heard = (await person.listen(3)).mono();
  assert.equal(shareAbove(heard, SOUND), 0, `${why}: ${level(heard).toFixed(1)} dBFS`);
}

async function assertSound(person, why) {
  await person.listen(SETTLE_S);
  const heard = (await person.listen(2)).mono();
  assert.ok(shareAbove(heard, -50) > 0.5, `${why}: ${level(heard).toFixed(1)} dBFS`);
}

browserTest("a whisper is heard by one, and is silence for the third", async (t) => {
  const { anna, bert, cleo } = await three(t);
  const whom = await meets(anna, "Bert");
  await anna.tell("whisper", whom, true);
  await stateIs(bert, "Bert knows of the whisper", (state) => state.people.find((other) => other.name === "Anna").whispering);
  await silent(cleo, "Anna");
  await Promise.all([assertSound(bert, "whispered to"), assertSilence(cleo, "not whispered to")]);
  await anna.tell("whisper", whom, false);
  await hears(cleo, "Anna");
}, [whyNoProgram]);

browserTest("who mutes themselves is silence for all", async (t) => {
  const { anna, bert, cleo } = await three(t);
  await anna.tell("setMuted", true);
  await silent(bert, "Anna");
  await Promise.all([assertSilence(bert, "muted"), assertSilence(cleo, "muted")]);
  assert.equal((await state(bert)).people.find((other) => other.name === "Anna").unheard, "muted-themselves");
  await anna.tell("setMuted", false);
  await hears(bert, "Anna");
  await assertSound(bert, "no longer muted");
}, [whyNoProgram]);

browserTest("who is deafened hears nobody, and nobody else hears less", async (t) => {
  const { bert, cleo } = await three(t);
  await bert.tell("setDeafened", true);
  await Promise.all([assertSilence(bert, "deafened"), assertSound(cleo, "not deafened")]);
  await bert.tell("setDeafened", false);
  await hears(bert, "Anna");
  await assertSound(bert, "no longer deafened");
}, [whyNoProgram]);

browserTest("a person's volume is theirs, and here alone", async (t) => {
  const { bert, cleo, id } = await three(t);
  const full = await loudness(bert);
  await bert.tell("setPersonVolume", id, 50);
  const half = await loudness(bert);
  await bert.tell("setPersonVolume", id, 25);
  const quarter = await loudness(bert);
  figure("volume of 100, 50 and 25 %, dBFS", [full, half, quarter].map((one) => one.toFixed(1)).join(", "));
  assert.ok(Math.abs(full - half - 6) < 1.5, `100 %: ${full}, 50 %: ${half} dBFS`);
  assert.ok(Math.abs(half - quarter - 6) < 1.5, `50 %: ${half}, 25 %: ${quarter} dBFS`);
  assert.ok(Math.abs((await loudness(cleo)) - full) < 1.5, "Cleo hears as before");
  await bert.tell("setPersonMuted", id, true);
  await Promise.all([assertSilence(bert, "muted here"), assertSound(cleo, "muted elsewhere")]);
}, [whyNoProgram]);

browserTest("who stands to the right is heard from there, and from afar not at all", async (t) => {
  const { bert, id } = await three(t);
  const sides = async () => {
    await bert.listen(SETTLE_S);
    const heard = await bert.listen(3);
    return [0, 1].map((side) => loudestSecond(heard.channel(side)));
  };
  await bert.tell("setSpace", 1, 20);
  await bert.tell("setPersonPosition", id, [2, 0]);
  const [left, right] = await sides();
  figure("two metres to the right, left and right, dBFS", `${left.toFixed(1)}, ${right.toFixed(1)}`);
  assert.ok(right - left > 3, `left ${left}, right ${right} dBFS`);
  await bert.tell("setPersonPosition", id, [-2, 0]);
  const [near, far] = await sides();
  assert.ok(near - far > 3, `left ${near}, right ${far} dBFS`);
  await bert.tell("setPersonPosition", id, [50, 0]);
  await assertSilence(bert, "50 m away");
}, [whyNoProgram]);

browserTest("push-to-talk sends while it is held, and nothing else", async (t) => {
  const { anna, bert } = await three(t);
  await anna.tell("setActivation", "push");
  await silent(bert, "Anna");
  await assertSilence(bert, "not held");
  await anna.tell("setTalking", true);
  await hears(bert, "Anna");
  await assertSound(bert, "held");
  await anna.tell("setTalking", false);
  await assertSilence(bert, "let go");
}, [whyNoProgram]);
