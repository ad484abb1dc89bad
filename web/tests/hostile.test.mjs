// Somebody means harm: garbage, oversized and flooding messages on both channels, offers by the thousand. The talk of the others goes on.
import assert from "node:assert/strict";
import { meets, state, stateIs, talk } from "./harness/bare.mjs";
import { launch } from "./harness/browser.mjs";
import { Server, whyNoProgram } from "./harness/consonance.mjs";
import { shareAbove } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure, inTime, until } from "./harness/test.mjs";

const OFFERS = 1_000;
const SOUND = -50;

/** Anna speaks all the time to Bert. */
async function two(t) {
  const server = await Server.start(t);
  const anna = await talk(await launch(t, { microphone: babble().file }), server, { name: "Anna" });
  const bert = await talk(await launch(t), server, { name: "Bert", microphone: null });
  const id = await meets(bert, "Anna");
  await stateIs(bert, "Anna is heard", (state) => state.people[0].audible);
  return { server, anna, bert, id, before: shareAbove((await bert.listen(3)).mono(), SOUND) };
}

/** While `attack` goes on, Bert hears Anna as before, and both stay connected. */
async function assertTalkGoesOn({ anna, bert, id, before }, what, attack) {
  const since = await bert.now();
  const outcome = await attack();
  await bert.listen(2);
  const during = shareAbove((await bert.heard(since)).mono(), SOUND);
  figure(`${what}; share of time with sound before and during it`, `${before.toFixed(2)}, ${during.toFixed(2)}`);
  for (const person of [anna, bert]) assert.equal((await state(person)).status, "connected", what);
  assert.equal((await state(bert)).people[0].id, id, "Anna has kept her seat");
  await inTime(() => assert.ok(during > before - 0.1, `${what}: sound ${before.toFixed(2)} before, ${during.toFixed(2)} during it`));
  return outcome;
}

/** In a page: opens a raw connection as docs/WEBRTC.md has it; `larger` believes in another limit of messages. */
async function attacker(t, server) {
  const { page } = await (await launch(t, { ears: false })).open(server.url);
  await page.evaluate(() => {
    window.begin = async (larger = false) => {
      const peer = new RTCPeerConnection();
      const voice = peer.createDataChannel("voice", { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 });
      const lane = peer.createDataChannel("lane", { negotiated: true, id: 1 });
      const open = Promise.all([voice, lane].map((channel) => new Promise((opened) => { channel.onopen = opened; })));
      await peer.setLocalDescription();
      const headers = { "Content-Type": "application/sdp" };
      const answer = await (await fetch("/offer", { method: "POST", headers, body: peer.localDescription.sdp })).text();
      const sdp = larger ? answer.replace(/a=max-message-size:\d+/, "a=max-message-size:262144") : answer;
      await peer.setRemoteDescription({ type: "answer", sdp });
      await open;
      return { peer, voice, lane };
    };
    window.noise = (length) => crypto.getRandomValues(new Uint8Array(length));
    /** Sends until the channel is closed or it has been enough. */
    window.flood = async (channel, size, count) => {
      for (let n = 0; n < count && channel.readyState === "open"; n++) {
        try { channel.send(noise(size)); } catch { break; }
        if (channel.bufferedAmount > 200_000) await new Promise((later) => setTimeout(later, 5));
      }
    };
    window.ended = (channel) => channel.readyState !== "open" || new Promise((over) => { channel.onclose = () => over(true); setTimeout(() => over(false), 3_000); });
  });
  return page;
}

browserTest("garbage, oversized and flooding messages on both channels harm nobody else", async (t) => {
  const people = await two(t);
  const page = await attacker(t, people.server);
  await assertTalkGoesOn(people, "garbage on the voice channel", () => page.evaluate(async () => {
    const { voice, peer } = await begin();
    for (const size of [0, 1, 2, 12, 127, 128, 1_200, 2_048]) for (let n = 0; n < 50; n++) voice.send(noise(size));
    voice.send("words");
    await new Promise((later) => setTimeout(later, 1_000));
    peer.close();
  }));
  const over = await assertTalkGoesOn(people, "garbage on the lane", () => page.evaluate(async () => {
    const over = [];
    for (const harm of ["words", noise(0), noise(1_201), noise(1_200)]) {
      const { lane } = await begin();
      for (let n = 0; n < 200 && lane.readyState === "open"; n++) lane.send(harm);
      over.push(await ended(lane));
    }
    return over;
  }));
  assert.deepEqual(over.slice(0, 3), [true, true, true], "what is no message of the lane ends the connection");
  await assertTalkGoesOn(people, "oversized messages", () => page.evaluate(async () => {
    for (const kind of ["voice", "lane"]) {
      const connection = await begin(true);
      try { for (let n = 0; n < 50; n++) connection[kind].send(noise(100_000)); } catch {}
      await ended(connection[kind]);
    }
  }));
  await assertTalkGoesOn(people, "a flood on both channels", () => page.evaluate(async () => {
    const connections = [await begin(), await begin()];
    await Promise.all(connections.map(({ voice, lane }) => Promise.all([flood(voice, 300, 10_000), flood(lane, 900, 3_000)])));
    for (const { peer } of connections) peer.close();
  }));
}, [whyNoProgram]);

browserTest("a thousand offers at once, and offers that nobody finishes, are answered with patience or not at all", async (t) => {
  const people = await two(t);
  const page = await attacker(t, people.server);
  const offer = await page.evaluate(async () => {
    const peer = new RTCPeerConnection();
    peer.createDataChannel("voice", { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 });
    await peer.setLocalDescription();
    return peer.localDescription.sdp;
  });
  const post = () => fetch(new URL("/offer", people.server.url), { method: "POST", headers: { "Content-Type": "application/sdp" }, body: offer })
    .then(async (answer) => (await answer.text(), answer.status), () => "no answer");
  const answers = await assertTalkGoesOn(people, `${OFFERS} offers at once`, () => Promise.all(Array.from({ length: OFFERS }, post)));
  const counts = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  figure(`answers to ${OFFERS} offers at once`, JSON.stringify(counts));
  assert.ok((counts[200] ?? 0) < 300, "they aren't all let in");
  // What was let in is forgotten, and there is room again for somebody who means it.
  await until("somebody gets in again", async () => (await post()) === 200, 60);
}, [whyNoProgram]);
