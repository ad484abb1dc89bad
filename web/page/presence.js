/** Notices who has come and gone since the last state. */

import { app } from "./app.js";
import { distinctNames } from "./names.js";

/** @import { Person, State } from "../consonance.js" */

/** @type {Map<number, Person>} */
let known = new Map();
/** One has seen who was there already. */
let settled = false;

/**
 * @param {State} state
 * @returns {{ came: Person[], gone: { id: number, name: string }[], first: boolean }} `first`: everybody is new, since one has just come oneself
 */
export function whoChanged({ people }) {
  const now = new Map(people.map((person) => [person.id, person]));
  const came = people.filter(({ id }) => !known.has(id));
  const gone = [...known.values()].filter(({ id }) => !now.has(id)).map(({ id, name }) => ({ id, name: app.names.get(id) ?? name }));
  const first = !settled;
  settled = true;
  known = now;
  if (came.length || gone.length) app.names = distinctNames(people);
  return { came, gone, first };
}

export function forgetEverybody() {
  known = new Map();
  settled = false;
  app.names = new Map();
}
