/**
 * What the server is at, for who runs it. The state is asked for each second, and of the past only what is new. Names are strangers' words: they are set
 * as text and never as markup, each in an element of its own that keeps the direction of its writing to itself.
 */

const EVERY_MS = 1000;
/** A page that nobody looks at asks seldom. */
const HIDDEN_EVERY_MS = 10000;
const SVG = "http://www.w3.org/2000/svg";

/** What is plotted: columns of the history, with words for each. */
const PLOTS = [
  { title: "Frames a second", lines: [["frames_in", "in"], ["frames_out", "delivered"]] },
  { title: "People", lines: [["people", "here"], ["speaking", "speaking"], ["reconnecting", "reconnecting"]] },
  { title: "Voice that people miss, %", lines: [["loss_mean", "mean"], ["loss_worst", "worst"]] },
  { title: "Processor time for each delivered frame, µs", lines: [["us_per_frame", "all of the server"]] },
  { title: "Dropped a second", lines: [["dropped", "datagrams and packets"]] },
];

const byId = (id) => document.getElementById(id);

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** A stranger's name: what isn't seen, or turns the writing around, is shown by its number. */
function name(text) {
  const odd = /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  return element("bdi", text.replace(odd, (c) => `\\u{${c.codePointAt(0).toString(16)}}`));
}

/** A number for people: three digits that count, and thousands apart. */
function shown(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const from = Math.max(0, parts.findIndex(([unit]) => seconds >= unit));
  let left = Math.floor(seconds);
  return parts.slice(from, from + 2).map(([unit, word]) => {
    const count = Math.floor(left / unit);
    left -= count * unit;
    return `${count} ${word}`;
  }).join(" ");
}

/* ---- the past ---- */

const past = { columns: [], rows: [], last: 0, kept: 900, cursor: null };

function remember({ columns, kept, last, rows }) {
  if (last < past.last) past.rows = []; // the server began anew
  past.rows = past.rows.concat(rows).slice(-kept);
  Object.assign(past, { columns, kept, last });
}

function makePlot({ title, lines }) {
  const root = element("div", "", "plot");
  root.append(element("h3", title));
  const keys = element("div", "", "keys");
  const values = lines.map(([, words], number) => {
    const key = element("span"), value = element("b");
    key.append(element("i", "", `c${number}`), `${words} `, value);
    keys.append(key);
    return value;
  });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 900 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const drawn = (name, kind) => {
    const made = document.createElementNS(SVG, name);
    made.setAttribute("class", kind);
    svg.append(made);
    return made;
  };
  for (const y of [0.5, 50, 99.5]) {
    const rule = drawn("line", "rule");
    Object.entries({ x1: 0, x2: 900, y1: y, y2: y }).forEach(([name, value]) => rule.setAttribute(name, String(value)));
  }
  const paths = lines.map((_, number) => drawn("path", `c${number}`));
  const cursor = drawn("line", "cursor");
  svg.addEventListener("pointermove", (event) => pointAt(event.offsetX / svg.clientWidth));
  svg.addEventListener("pointerleave", () => pointAt(null));
  const ends = element("div", "", "ends"), most = element("span");
  ends.append(element("span", "15 min ago"), most, element("span", "now"));
  root.append(keys, svg, ends);
  return { title, root, svg, lines, values, paths, cursor, most };
}

function pointAt(share) {
  past.cursor = share === null ? null : Math.min(past.kept - 1, Math.max(0, Math.floor(share * past.kept)));
  draw();
}

/** The end of an axis: 1, 2 or 5 times a power of ten. */
function roundUp(value) {
  let unit = 1;
  while (unit * 10 < value) unit *= 10;
  return [1, 2, 5, 10].map((factor) => factor * unit).find((end) => end >= value) ?? value;
}

const plots = PLOTS.map(makePlot);
byId("plots").append(...plots.map((plot) => plot.root));

function draw() {
  const offset = past.kept - past.rows.length;
  const at = past.cursor === null ? past.rows.length - 1 : past.cursor - offset;
  byId("moment").textContent = past.cursor === null || at < 0 ? "Each second; point at a plot to read it." : `${span(past.rows.length - 1 - at)} ago`;
  for (const plot of plots) {
    const columns = plot.lines.map(([name]) => past.columns.indexOf(name));
    const end = roundUp(Math.max(1, ...past.rows.flatMap((row) => columns.map((column) => row[column] ?? 0))));
    columns.forEach((column, number) => {
      plot.paths[number].setAttribute("d", line(column, offset, end));
      plot.values[number].textContent = shown(past.rows[at]?.[column]);
    });
    plot.most.textContent = `0 to ${shown(end)}`;
    plot.svg.setAttribute("aria-label", `${plot.title}: ${plot.lines.map(([, words], number) => `${words} ${plot.values[number].textContent}`).join(", ")}`);
    plot.cursor.toggleAttribute("hidden", past.cursor === null);
    const x = String(past.cursor ?? -9);
    Object.entries({ x1: x, x2: x, y1: "0", y2: "100" }).forEach(([name, value]) => plot.cursor.setAttribute(name, value));
  }
}

/** A line with gaps where nothing is known. */
function line(column, offset, end) {
  let path = "", pen = "M";
  past.rows.forEach((row, number) => {
    const value = row[column];
    if (value === null || value === undefined) {
      pen = "M";
      return;
    }
    path += `${pen}${offset + number} ${(99 - 98 * value / end).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

/* ---- now ---- */

let before = null;

function show(state) {
  byId("name").textContent = state.name ?? "Consonance";
  document.title = `${state.name ?? "Consonance"}: status`;
  byId("about").textContent = `Consonance ${state.consonance}, one session, up ${span(state.uptime_s)}`;
  showFacts(state);
  showRooms(state);
  showPeople(state);
  showDrops(state);
  before = state;
}

function showFacts(state) {
  const count = (is) => state.people.filter(is).length;
  const ways = (way) => count((person) => person.transport === way);
  const seconds = before && before.uptime_s < state.uptime_s ? state.uptime_s - before.uptime_s : null;
  const rate = (of) => seconds === null ? null : (of(state) - of(before)) / seconds;
  const facts = [
    [`${shown(state.people.length)} of ${shown(state.client_limit)}`, "people"],
    [shown(count((person) => person.speaking)), "speaking"],
    [shown(count((person) => person.reconnecting)), "reconnecting"],
    [shown(state.rooms.length), "rooms"],
    [shown(ways("udp")), "over UDP"],
    [shown(ways("webrtc")), "over WebRTC"],
    [shown(state.links), "connections"],
    [shown(rate((at) => at.totals.voice_packets_out)), "frames delivered a second"],
    [seconds === null || state.cpu_s === null ? "–" : `${shown(100 * rate((at) => at.cpu_s))} %`, "of a core"],
    [state.memory_bytes === null ? "–" : `${shown(state.memory_bytes / 1048576)} MiB`, "memory"],
  ];
  byId("facts").replaceChildren(...facts.map(([value, words]) => {
    const fact = element("div");
    fact.append(element("b", value), element("span", words));
    return fact;
  }));
}

/** A row of cells: texts, or elements, with the class of each column. */
function row(cells, kinds = []) {
  const made = element("tr");
  cells.forEach((cell, number) => {
    const td = element("td", "", kinds[number] ?? "");
    td.append(cell);
    made.append(td);
  });
  return made;
}

function fill(table, rows, empty) {
  byId(table).tBodies[0].replaceChildren(...(rows.length ? rows : [row([element("span", empty, "soft")])]));
}

function showRooms(state) {
  const rows = state.rooms.map((room) => {
    const inside = state.people.filter((person) => person.rooms.includes(room.id));
    return row([name(room.name), shown(inside.length), shown(inside.filter((person) => person.speaking).length)], ["", "n", "n"]);
  });
  fill("rooms", rows, "no rooms");
}

function stateOf(person) {
  const words = [
    [person.reconnecting, "reconnecting", "bad"], [person.speaking, "speaking", "good"], [person.server_muted, "muted by the server", "warn"],
    [person.muted, "muted", "soft"], [person.deafened, "deafened", "soft"],
  ].filter(([is]) => is).map(([, word, kind]) => element("span", word, kind));
  const all = element("span");
  words.forEach((word, number) => all.append(...(number ? [", ", word] : [word])));
  return all;
}

const WAYS = { udp: "UDP", webrtc: "WebRTC" };

function showPeople(state) {
  const names = new Map(state.rooms.map((room) => [room.id, room.name]));
  const rows = state.people.map((person) => {
    const rooms = element("span");
    person.rooms.forEach((id, number) => rooms.append(...(number ? [", "] : []), name(names.get(id) ?? "?")));
    const way = [WAYS[person.transport] ?? person.transport ?? "–", person.address].filter(Boolean).join(", ");
    const loss = element("span", shown(person.loss_percent), person.loss_percent >= 10 ? "bad" : person.loss_percent >= 2 ? "warn" : "");
    return row([name(person.name), rooms, stateOf(person), way, shown(person.rtt_ms), shown(person.jitter_ms), loss], ["", "", "", "", "n", "n", "n"]);
  });
  fill("people", rows, "nobody is here");
}

function showDrops(state) {
  const seconds = before && before.uptime_s < state.uptime_s ? state.uptime_s - before.uptime_s : null;
  const rows = [["datagram", "datagram_drops"], ["packet", "packet_drops"]].flatMap(([what, field]) =>
    Object.entries(state[field]).filter(([, count]) => count > 0).map(([reason, count]) => {
      const rate = seconds === null ? null : (count - (before[field][reason] ?? 0)) / seconds;
      return row([what, reason.replaceAll("_", " "), shown(count), element("span", shown(rate), rate ? "warn" : "soft")], ["", "", "n", "n"]);
    }));
  if (state.voice_shed > 0) {
    const rate = seconds === null ? null : (state.voice_shed - before.voice_shed) / seconds;
    rows.push(row(["voice packet", "shed: more came than can be passed on", shown(state.voice_shed), element("span", shown(rate), rate ? "bad" : "soft")], ["", "", "n", "n"]));
  }
  fill("drops", rows, "nothing");
}

/* ---- asking ---- */

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  return answer.json();
}

async function turn() {
  const trouble = byId("trouble");
  try {
    const [state, part] = await Promise.all([ask("/state"), ask(`/status/history?after=${past.last}`)]);
    // A server that began anew counts its rows from 0.
    remember(part.last < past.last ? await ask("/status/history") : part);
    show(state);
    draw();
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = `The server doesn't answer (${error.message}); what is below is old. Asking again …`;
    trouble.hidden = false;
  }
  setTimeout(turn, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

turn();
