/** The rooms one is in: to which of them one's voice goes, leaving, and being in another one as well. */

import { app } from "./app.js";
import { toast } from "./announce.js";
import { icon, input, KeyedList, make, need, part, setAttribute, setText } from "./dom.js";
import { linkTo, showInAddress } from "./links.js";
import { bytesOf, cleanName, listed } from "./names.js";

/**
 * @import { Room, State } from "../consonance.js"
 * @import { Row } from "./dom.js"
 */

/** What the protocol takes of a room's name. */
const NAME_BYTES = 64;

const list = new KeyedList(part("rooms"), keyOf, roomRow);

/** @param {Room} room */
function keyOf(room) {
  return room.handle;
}

export function setUpRooms() {
  need("add-room", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const field = input("more-room");
    const problem = roomProblem(field.value);
    if (problem) return toast(problem);
    app.voice?.join(field.value.trim());
    field.value = "";
  });
  part("copy-link").addEventListener("click", copyLink);
}

/** @param {State} state */
export function updateRooms({ rooms }) {
  list.update(rooms);
  const names = rooms.map((room) => room.name);
  setText(part("title"), listed(names.map(cleanName), 3) || "In no room");
  showInAddress(names);
}

/**
 * Why a name isn't one for a room, or null.
 * @param {string} name
 */
export function roomProblem(name) {
  if (!name.trim()) return "Type the name of a room.";
  return bytesOf(name.trim()) > NAME_BYTES ? "The name of the room is too long." : null;
}

/** @returns {Row<Room>} */
function roomRow() {
  const name = make("bdi", { class: "room-name" });
  const talking = make("input", { type: "checkbox" });
  const leave = make("button", { type: "button", class: "icon" });
  leave.append(icon("close"));
  const words = make("span", { text: "Talk here" });
  const root = make("li", { class: "room" }, [name, make("label", { class: "switch" }, [talking, words]), leave]);
  /** @type {string} */
  let room = "";
  talking.addEventListener("change", () => app.voice?.setTalkingTo(room, talking.checked));
  leave.addEventListener("click", () => app.voice?.leave(room));
  return {
    root,
    update(now) {
      room = now.name;
      setText(name, cleanName(room));
      setAttribute(talking, "aria-label", `Talk here: ${cleanName(room)}`);
      setAttribute(leave, "aria-label", `Leave ${cleanName(room)}`);
      // While one whispers no room hears, but the switches mean what comes afterwards.
      if (!app.state?.me.whisperingTo.length && talking.checked !== now.talking) talking.checked = now.talking;
    },
  };
}

async function copyLink() {
  const link = linkTo(app.state?.rooms.map((room) => room.name) ?? [], location);
  try {
    await navigator.clipboard.writeText(link);
    toast("Link copied. Whoever opens it comes to this room.");
  } catch {
    toast(`Copy the link from the address bar: ${link}`);
  }
}
