/**
 * A page with nothing but the binding, at the server's own address. Its `voice` is driven from the tests.
 */

const PAGE = `<!doctype html><html lang="en"><title>Bare</title><button>Talk</button><script type="module">
import { Voice } from "/consonance.js";
window.texts = [];
window.notices = [];
window.begin = (options) => {
  const voice = (window.voice = new Voice(options));
  voice.addEventListener("text", ({ detail }) => texts.push(detail));
  voice.addEventListener("notice", ({ detail }) => notices.push(detail));
  document.querySelector("button").onclick = () => { window.started = voice.start(); };
};
window.ready = true;
</script></html>`;

/** The microphone as it is: what the browser would do to it isn't what is measured. */
export const UNTOUCHED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
/** As a page has it at first. */
export const USUAL = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** Somebody on the bare page: in the rooms, with an open microphone if there is one. */
export async function talk(chromium, server, { microphone = UNTOUCHED, activation = "open", ...options }) {
  await chromium.context.route("**/bare", (route) => route.fulfill({ contentType: "text/html", body: PAGE }));
  const person = await chromium.open(new URL("/bare", server.url).href);
  const { page } = person;
  await page.waitForFunction(() => window.ready);
  await page.evaluate((options) => window.begin(options), { rooms: ["Lobby"], ...options });
  await page.click("button");
  await page.evaluate(async ([microphone, activation]) => {
    await window.started;
    voice.setActivation(activation);
    if (microphone) await voice.useMicrophone(microphone);
  }, [microphone, activation]);
  return Object.assign(person, { tell: (method, ...args) => page.evaluate(([method, args]) => voice[method](...args), [method, args]) });
}

/** The state of a person's binding. */
export function state(person) {
  return person.page.evaluate(() => voice.state);
}

/** Waits until the state is such that `condition`, a function of it run in the page, holds. */
export async function stateIs(person, what, condition, argument, seconds = 30) {
  const within = `(${condition})(voice.state, ${JSON.stringify(argument ?? null)})`;
  try {
    await person.page.waitForFunction(within, null, { polling: 20, timeout: seconds * 1_000 });
  } catch {
    throw new Error(`not within ${seconds} s: ${what}; the state is ${JSON.stringify(await state(person))}; the page says ${person.complaints}`);
  }
}

export const hears = (person) => stateIs(person, "the other one is heard", (state) => state.people.some((other) => other.audible));

/** Waits until a person is shown to be reconnecting, or gone. */
export const misses = (person, id) => stateIs(person, "the other one is missed", (state, id) => state.people.find((other) => other.id === id)?.reconnecting !== false, id);

export const connected = (person, seconds) => stateIs(person, "connected", (state) => state.status === "connected", null, seconds);

/** Waits until somebody of that name is there, and gives their id. */
export async function meets(person, name) {
  await stateIs(person, `${name} is there`, (state, name) => state.people.some((other) => other.name === name), name);
  return (await state(person)).people.find((other) => other.name === name).id;
}
