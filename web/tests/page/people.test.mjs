// Who is here, who speaks, and what one can do about each.
import assert from "node:assert/strict";
import { pageTest, reads } from "./harness.mjs";

const people = [{ id: 2, name: "Anna" }, { id: 3, name: "Ben", rooms: [1, 7] }, { id: 9, name: "Scout", rooms: [7], unheard: "not-in-my-room" }];
const row = (place) => `#people > li:nth-child(${place})`;
const opened = (page, place) => page.click(`${row(place)} .person-more`);

pageTest("who is in my rooms and who isn't", async (page) => {
  await page.joins();
  assert.deepEqual(await page.locator("#people .person-name").allTextContents(), ["Anna", "Ben"]);
  assert.deepEqual(await page.locator("#elsewhere-people .person-name").allTextContents(), ["Scout"]);
  await page.mock("people", [people[0]]);
  assert.deepEqual(await page.locator("#people .person-name").allTextContents(), ["Anna"]);
  assert.equal(await page.locator("#elsewhere").isVisible(), false);
}, { plan: { people } });

pageTest("a speaker is seen within the same turn in which the binding tells it", async (page) => {
  await page.joins();
  const seen = await page.evaluate(() => {
    mock.change(2, { audible: true, speaking: true });
    return [document.querySelector("#people > li").className, document.querySelector("#who-speaks").textContent];
  });
  assert.match(seen[0], /\bspeaking\b/);
  assert.equal(seen[1], "Anna is speaking");
  const ring = await page.evaluate(() => {
    mock.levels(-90, false, { 3: -35 });
    const row = document.querySelectorAll("#people > li")[1];
    return [row.className, row.querySelector(".avatar").style.getPropertyValue("--level")];
  });
  assert.match(ring[0], /\bsounding\b/);
  assert.equal(ring[1], "0.50");
}, { plan: { people } });

pageTest("a sentence says why somebody isn't heard", async (page) => {
  await page.joins();
  await opened(page, 1);
  const sentences = { "muted-by-me": /muted them/, "deafened": /hear nobody/, "muted-themselves": /muted themselves/, "muted-by-server": /server has muted/, "reconnecting": /come back/, "lower-priority": /more urgent/, "turned-down": /turned down/, "too-far": /too far/, "lost": /lost on the way/, "late": /too late/, "no-voice-free": /too many/, "not-connected": /aren't connected/, "silent": /saying nothing/ };
  for (const [unheard, sentence] of Object.entries(sentences)) {
    await page.mock("change", 2, { unheard });
    await reads(page, `${row(1)} .person-why`, sentence);
  }
  await page.mock("change", 2, { unheard: "lost", speaking: true });
  await reads(page, `${row(1)} .person-state`, /gets lost/);
}, { plan: { people } });

pageTest("volume and mute of a person are set, and remembered by name", async (page) => {
  await page.joins();
  await opened(page, 1);
  await page.getByRole("slider", { name: "Volume" }).fill("45");
  await page.getByRole("button", { name: "Mute for me" }).click();
  assert.deepEqual(await page.calls("setPersonVolume"), [["setPersonVolume", 2, 45]]);
  assert.deepEqual(await page.calls("setPersonMuted"), [["setPersonMuted", 2, true]]);
  await page.mock("people", []);
  await page.mock("people", [{ id: 30, name: "Anna" }]);
  assert.deepEqual((await page.calls("setPersonVolume")).at(-1), ["setPersonVolume", 30, 45]);
  assert.deepEqual((await page.calls("setPersonMuted")).at(-1), ["setPersonMuted", 30, true]);
}, { plan: { people } });

pageTest("one whispers while a button is held, or until it is pressed again", async (page) => {
  await page.joins();
  await opened(page, 1);
  const hold = page.getByRole("button", { name: "Hold to whisper" });
  await hold.focus();
  await page.keyboard.down("Enter");
  await reads(page, "#my-words", /only Anna/);
  await page.keyboard.up("Enter");
  assert.deepEqual(await page.calls("whisper"), [["whisper", 2, true], ["whisper", 2, false]]);
  await page.getByRole("button", { name: "Whisper", exact: true }).click();
  await reads(page, `${row(1)} .person-state`, /you whisper to them/);
  await page.click("#stop-whisper");
  assert.deepEqual((await page.calls("whisper")).at(-1), ["whisper", 2, false]);
}, { plan: { people } });

/** Presses "Hold to whisper" at the first person with the mouse; what was asked for before doesn't count. */
async function holdsToWhisper(page) {
  await opened(page, 1);
  const { x, y } = await page.locator(row(1)).getByRole("button", { name: "Hold to whisper" }).boundingBox();
  await page.evaluate(() => { mock.calls.length = 0; });
  await page.mouse.move(x + 20, y + 20);
  await page.mouse.down();
  await reads(page, "#my-words", /only Anna/);
}

const asked = async (page, name) => (await page.calls(name)).map(([, ...args]) => args);

pageTest("a whisper that is held ends when they go, and nobody hears the rest", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await holdsToWhisper(page);
  assert.deepEqual(await asked(page, "setTalking"), [[true]]);
  await page.mock("people", people.slice(1));
  assert.deepEqual(await asked(page, "setTalking"), [[true], [false]]);
  assert.deepEqual(await asked(page, "whisper"), [[2, true], [2, false]]);
  await reads(page, "#toasts", /nobody hears the rest/);
  await page.mouse.up();
  await holdsThe(page, "Space");
  assert.deepEqual(await asked(page, "setTalking"), [[true], [false], [true], [false]], "pressed anew, one talks");
}, { plan: { people } });

const holdsThe = async (page, key) => (await page.keyboard.down(key), page.keyboard.up(key));

pageTest("what is said after them isn't sent without a button either, until the held one is let go", async (page) => {
  await page.joins();
  await holdsToWhisper(page);
  await page.mock("people", [{ ...people[0], rooms: [7] }, ...people.slice(1)]);
  assert.deepEqual((await page.calls()).map(([name, ...args]) => [name, ...args]), [
    ["whisper", 2, true], ["setTalking", true], ["setTalking", false], ["setActivation", "push"], ["whisper", 2, false],
  ]);
  await page.mouse.up();
  assert.deepEqual((await asked(page, "setActivation")).at(-1), ["voice"]);
}, { plan: { people } });

pageTest("a whisper that is held ends when the session does, though the same ids come again", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await holdsToWhisper(page);
  await page.mock("me", { whisperingTo: [] });
  assert.deepEqual(await asked(page, "setTalking"), [[true], [false]]);
  await page.mouse.up();
  assert.deepEqual(await asked(page, "whisper"), [[2, true], [2, false]]);
}, { plan: { people } });

pageTest("who whispers from another room neither comes nor goes", async (page) => {
  await page.joins();
  await page.mock("change", 9, { whispering: true, speaking: true, audible: true, unheard: null });
  assert.deepEqual(await page.locator("#elsewhere-people .person-name").allTextContents(), ["Scout"]);
  await page.mock("change", 9, { whispering: false, speaking: false, audible: false });
  await page.click("#tab-texts");
  await reads(page, "#log", "");
}, { plan: { people } });

const inLobby = (id) => [{ handle: 1, name: "Lobby", id, talking: true }];

pageTest("nobody comes or leaves because one's own connection did, and the lists stay as they are", async (page) => {
  await page.joins();
  await page.mock("state", { status: "reconnecting", reason: "transport-down" });
  await page.mock("state", { status: "connected", reason: "resumed", rooms: inLobby(null) });
  assert.deepEqual(await page.locator("#people .person-name").allTextContents(), ["Anna", "Ben"]);
  await page.mock("state", { rooms: inLobby(1) });
  await page.mock("state", { status: "reconnecting", reason: "transport-down", people: [], rooms: inLobby(null) });
  await page.mock("people", [{ id: 31, name: "Anna" }, { id: 32, name: "Ben" }]);
  await page.mock("state", { status: "connected", reason: "joined" });
  await page.mock("state", { rooms: inLobby(1) });
  assert.deepEqual(await page.locator("#people .person-name").allTextContents(), ["Anna", "Ben"]);
  await page.click("#tab-texts");
  await reads(page, "#log", "");
  await page.mock("people", [{ id: 32, name: "Ben" }]);
  await reads(page, "#log", "Anna left");
}, { plan: { people } });

pageTest("whom one meets or misses by going oneself hasn't come or left", async (page) => {
  await page.joins();
  await page.fill("#more-room", "Cave");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#people > li").length === 3);
  await page.click("#rooms li:nth-child(2) button");
  await page.waitForFunction(() => document.querySelectorAll("#people > li").length === 2);
  await page.click("#tab-texts");
  await reads(page, "#log", "");
}, { plan: { people: [...people, { id: 10, name: "Cem", rooms: [2] }] } });

pageTest("texts go to a room or a person, and who isn't looking is told of those that come", async (page) => {
  await page.joins();
  await page.click("#tab-map");
  await page.mock("text", { from: 2, name: "Anna", room: null, text: "<img src=x onerror=alert(1)>\nshalom" });
  await reads(page, "#unread", "1 new");
  assert.equal(await page.title(), "(1) Lobby · Consonance");
  await reads(page, "#toasts", /Anna: <img/);
  await opened(page, 2);
  await page.locator(row(2)).getByRole("button", { name: "Write" }).click();
  assert.equal(await page.locator("#unread").isVisible(), false);
  assert.equal(await page.locator("#log img").count(), 0);
  await reads(page, "#log article:last-of-type .text-words", "<img src=x onerror=alert(1)>\nshalom");
  await page.keyboard.type("hello");
  await page.keyboard.press("Enter");
  assert.deepEqual(await page.calls("sendText"), [["sendText", { person: 3 }, "hello"]]);
  await reads(page, "#log article:last-of-type .text-head", /^Youto Ben alone/);
}, { plan: { people } });

pageTest("a text to somebody who has gone goes to nobody else, and stays", async (page) => {
  await page.joins();
  await opened(page, 2);
  await page.locator(row(2)).getByRole("button", { name: "Write" }).click();
  await page.keyboard.type("only for you");
  for (const there of [[people[0]], [people[0], { id: 3, name: "Other" }]]) {
    await page.mock("people", there);
    assert.equal(await page.locator("#text-to option:checked").textContent(), "Ben has left");
    await page.keyboard.press("Enter");
    await reads(page, "#text-problem", /Ben has left.*Choose/);
  }
  await page.evaluate(() => { mock.plan.people = []; });
  await page.click("#leave-all");
  await page.joins();
  await page.focus("#text");
  await page.keyboard.press("Enter");
  assert.deepEqual(await page.calls("sendText"), []);
  assert.equal(await page.inputValue("#text"), "only for you");
  await page.selectOption("#text-to", { label: "all in Lobby" });
  assert.equal(await page.isVisible("#text-problem"), false);
  assert.equal(await page.locator("#text-to option:disabled").count(), 0);
  await page.press("#text", "Enter");
  assert.deepEqual(await page.calls("sendText"), [["sendText", { room: "Lobby" }, "only for you"]]);
}, { plan: { people: people.slice(0, 2) } });

pageTest("a text for one room doesn't go to another one", async (page) => {
  await page.joins();
  await page.fill("#more-room", "Cave");
  await page.keyboard.press("Enter");
  await page.fill("#text", "all of you");
  await page.click("#rooms li:first-child button");
  await page.press("#text", "Enter");
  await reads(page, "#text-problem", /You aren't in Lobby any more/);
  assert.deepEqual(await page.calls("sendText"), []);
  await page.fill("#text", "");
  await page.mock("me", {});
  assert.equal(await page.locator("#text-to option:checked").textContent(), "all in Cave");
}, { plan: { people } });

pageTest("addresses in texts are links that tell nothing, and nothing else is one", async (page) => {
  await page.joins();
  await page.mock("text", { from: 2, name: "Anna", room: 1, text: "See https://example.org/a?b=1. Or javascript:alert(1) (http://[broken" });
  const links = await page.locator("#log a").evaluateAll((all) => all.map((link) => [link.href, link.rel, link.textContent]));
  assert.deepEqual(links[0], ["https://example.org/a?b=1", "noopener noreferrer nofollow", "https://example.org/a?b=1"]);
  assert.ok(links.every(([href]) => /^https?:/.test(href)), JSON.stringify(links));
  await reads(page, "#log .text-words", /javascript:alert\(1\)/);
}, { plan: { people } });

pageTest("a text that can't be sent stays, with the reason", async (page) => {
  await page.joins();
  await page.fill("#text", "hello");
  await page.keyboard.press("Enter");
  await reads(page, "#text-problem", "It wasn't sent: nobody is there.");
  assert.equal(await page.inputValue("#text"), "hello");
  await page.fill("#text", "é".repeat(1_001));
  await page.keyboard.press("Enter");
  await reads(page, "#text-problem", /too long/);
}, { plan: { people, textProblem: "nobody is there" } });

pageTest("people are dragged onto the map and heard from there, the next time too", async (page) => {
  await page.joins();
  await page.click("#tab-map");
  const token = page.locator("#map-tokens .token").first();
  const floor = await page.locator(".map-floor").boundingBox();
  const from = await token.boundingBox();
  await page.mouse.move(from.x + from.width / 2, from.y + 20);
  await page.mouse.down();
  await page.mouse.move(floor.x + floor.width * 0.75, floor.y + floor.height / 2, { steps: 5 });
  await page.mouse.up();
  const [, id, [x, y]] = (await page.calls("setPersonPosition")).at(-1);
  assert.equal(id, 2);
  assert.ok(Math.abs(x - 5.25) < 0.3 && Math.abs(y) < 0.3, `${x}, ${y}`);
  await page.mock("people", []);
  await page.mock("people", [{ id: 40, name: "Anna" }]);
  assert.deepEqual((await page.calls("setPersonPosition")).at(-1), ["setPersonPosition", 40, [x, y]]);
}, { plan: { people } });

pageTest("people are moved on the map by the keyboard, and off it", async (page) => {
  await page.joins();
  await page.click("#tab-map");
  const token = page.locator("#map-tokens .token").first();
  await token.focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowRight");
  assert.deepEqual((await page.calls("setPersonPosition")).at(-1), ["setPersonPosition", 2, [0.5, 3]]);
  await reads(page, "#map-tokens .token:first-child", "Anna, 3.0 metres ahead");
  await page.keyboard.press("Delete");
  assert.deepEqual((await page.calls("setPersonPosition")).at(-1), ["setPersonPosition", 2, null]);
}, { plan: { people } });

pageTest("a place may be chosen by its name instead", async (page) => {
  await page.joins();
  await opened(page, 1);
  await page.getByLabel("Heard from").selectOption("the left");
  assert.deepEqual((await page.calls("setPersonPosition")).at(-1), ["setPersonPosition", 2, [-4, 0]]);
  await page.getByLabel("Heard from").selectOption("the middle");
  assert.deepEqual((await page.calls("setPersonPosition")).at(-1), ["setPersonPosition", 2, null]);
}, { plan: { people } });

pageTest("the network is shown in words and figures", async (page) => {
  await page.joins();
  await page.click("#tab-line");
  await reads(page, "#line-words", "The connection is good.");
  await reads(page, "#plots", /Round trip23 ms.*Lost1.0 %.*Jitter15 ms.*Waiting here42 ms/);
  await reads(page, "#line-facts", /Way to the serverdirect/);
  await reads(page, "#line-people li:first-child", /^Anna.*over the server/);
}, { plan: { people } });

pageTest("names that hide, turn the line or never end do no harm", async (page) => {
  await page.joins();
  const names = ["\u202eevil\u2066", "\u200b\u200f", "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "x".repeat(64), "__proto__", "Anna", "Anna"];
  await page.mock("people", names.map((name, index) => ({ id: index + 1, name })));
  assert.deepEqual(await page.locator("#people .person-name").allTextContents(), ["evil", "(no name)", "a\u0301\u0301\u0301", "x".repeat(64), "__proto__", "Anna", "Anna #7"]);
  await opened(page, 5);
  await page.locator(row(5)).getByRole("slider").fill("50");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector("#people-view").scrollWidth <= document.querySelector("#people-view").clientWidth), true);
}, { plan: { people } });

pageTest("an element of somebody stays the same while others come, go and speak", async (page) => {
  await page.joins();
  await page.focus(`${row(2)} .person-more`);
  await page.mock("people", [{ id: 1, name: "New" }, { ...people[1], audible: true }, people[2]]);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "What you can do about Ben");
  await page.click("#tab-texts");
  await reads(page, "#log", /New came.*Anna left|Anna left.*New came/);
}, { plan: { people } });
