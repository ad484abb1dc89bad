/**
 * The page for people, used as people do: by what is written there and by keys.
 */

/** Somebody who opens the page's link and joins, or just listens. */
export async function enter(chromium, server, { name, room = "Lobby", listen = false }) {
  const person = await chromium.open(`${server.url}#room=${encodeURIComponent(room)}`);
  await join(person, { name, listen });
  return person;
}

export async function join({ page }, { name, listen = false }) {
  await page.fill("#name", name);
  await page.click(listen ? "#listen-only" : "#join");
  await page.waitForSelector("#talk-room:not([hidden])");
}

/** The row of somebody in the list of people. */
export const row = ({ page }, name) => page.locator("#people > li", { hasText: name });

/** Chooses when one's voice is sent. */
export const activate = ({ page }, activation) => page.check(`[name=activation][value=${activation}]`);

/** Waits until somebody is shown as speaking, or as not. */
export async function speaks(person, name, on = true) {
  await person.page.waitForFunction(
    ([name, on]) => {
      const rows = [...document.querySelectorAll("#people > li")].filter((row) => row.textContent.includes(name));
      return rows.length > 0 && rows.every((row) => row.classList.contains("speaking") === on);
    },
    [name, on],
    { polling: 20 },
  );
}
