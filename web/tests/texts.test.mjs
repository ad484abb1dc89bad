// Texts to a room and to a person.
import assert from "node:assert/strict";
import { connected, meets, state, stateIs, talk } from "./harness/bare.mjs";
import { launch } from "./harness/browser.mjs";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { browserTest, until } from "./harness/test.mjs";

const texts = (person) => person.page.evaluate(() => window.texts);
const quiet = { microphone: null };

browserTest("a text to the room comes to all in it, and one to a person to nobody else", async (t) => {
  const server = await Server.start(t);
  const chromium = await launch(t);
  const [anna, bert, cleo] = [
    await talk(chromium, server, { name: "Anna", ...quiet }),
    await talk(chromium, server, { name: "Bert", ...quiet }),
    await talk(chromium, server, { name: "Cleo", ...quiet }),
  ];
  const whom = await meets(anna, "Bert");
  await meets(anna, "Cleo");
  assert.equal(await anna.tell("sendText", { person: whom }, "Only you, Zoë 🙂"), null);
  assert.equal(await anna.tell("sendText", { room: "Lobby" }, "All of you"), null);
  await until("both texts are there", async () => (await texts(bert)).length === 2 && (await texts(cleo)).length === 1);
  const [alone, all] = await texts(bert);
  const { me, rooms } = await state(anna);
  assert.deepEqual(alone, { from: me.id, name: "Anna", room: null, text: "Only you, Zoë 🙂" });
  assert.deepEqual(all, { from: me.id, name: "Anna", room: rooms[0].id, text: "All of you" });
  assert.deepEqual(await texts(cleo), [all]);
}, [whyNoProgram]);

browserTest("a text that is too long or goes nowhere is refused in words", async (t) => {
  const server = await Server.start(t);
  const anna = await talk(await launch(t), server, { name: "Anna", ...quiet });
  await connected(anna);
  for (const [to, text] of [[{ room: "Lobby" }, "é".repeat(1_001)], [{ room: "Attic" }, "Anybody?"], [{ person: 4_000 }, "You?"]]) {
    assert.match(String(await anna.tell("sendText", to, text)), /\w+ \w+/);
  }
}, [whyNoProgram]);

browserTest("somebody by UDP writes to a page, and room names are their own", async (t) => {
  const server = await Server.start(t);
  const anna = await talk(await launch(t), server, { name: "Anna", rooms: ["Lobby", "Höhle"], ...quiet });
  await stateIs(anna, "both rooms are there", (state) => state.rooms.every((room) => room.id !== null) && state.rooms.length === 2);
  Native.start(t, server, { name: "Udo", room: "Höhle", flags: ["--text", "Hallo"], seconds: 20 });
  await until("the text is there", async () => (await texts(anna)).length === 1);
  const [{ room, text }] = await texts(anna);
  assert.equal(text, "Hallo");
  assert.equal((await state(anna)).rooms.find((one) => one.id === room).name, "Höhle");
}, [whyNoProgram]);
