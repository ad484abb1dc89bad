/** The few things that every view does with the document. Text of people only ever goes in as text. */

/**
 * The element with an id that index.html has.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function need(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html lacks #${id}`);
}

/** @param {string} id */
export const part = (id) => need(id, HTMLElement);
/** @param {string} id */
export const button = (id) => need(id, HTMLButtonElement);
/** @param {string} id */
export const input = (id) => need(id, HTMLInputElement);
/** @param {string} id */
export const select = (id) => need(id, HTMLSelectElement);

/**
 * The first element inside that matches.
 * @template {Element} T
 * @param {ParentNode} inside
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
export function inside(inside, selector, kind) {
  const found = inside.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`there is no ${selector}`);
}

/**
 * A new copy of a template's only element.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copyOf(id) {
  return /** @type {HTMLElement} */ (need(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true));
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{ class?: string, text?: string } & Record<string, string | undefined>} [options] anything else becomes an attribute
 * @param {readonly Node[]} [children]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, options = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} attributes
 * @param {readonly Node[]} [children]
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes, children = []) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} name of a symbol in index.html */
export const icon = (name) => draw("svg", { "aria-hidden": "true" }, [draw("use", { href: `#i-${name}` })]);

/**
 * Writes only what differs, so that an unchanged state costs no layout and makes no screen reader speak.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} visible
 */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/**
 * A toggle's state, for eyes and screen readers.
 * @param {Element} element
 * @param {boolean} on
 */
export function press(element, on) {
  setAttribute(element, "aria-pressed", String(on));
}

/**
 * @template T
 * @typedef {{ root: HTMLElement, update(item: T): void, dispose?(): void }} Row told before its element is taken out
 */

/**
 * A list that keeps the element of each key: makes what is new, updates what stays, removes what is gone.
 * @template T
 */
export class KeyedList {
  /** @type {Map<unknown, Row<T>>} */
  rows = new Map();

  /**
   * @param {HTMLElement} parent
   * @param {(item: T) => unknown} keyOf
   * @param {(item: T) => Row<T>} makeRow
   */
  constructor(parent, keyOf, makeRow) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.makeRow = makeRow;
  }

  /** @param {readonly T[]} items */
  update(items) {
    this.#forget(new Set(items.map(this.keyOf)));
    let next = this.parent.firstElementChild;
    for (const item of items) {
      const row = this.#rowOf(item);
      row.update(item);
      if (row.root === next) next = next.nextElementSibling;
      else this.parent.insertBefore(row.root, next);
    }
  }

  /** @param {T} item */
  #rowOf(item) {
    const key = this.keyOf(item);
    const row = this.rows.get(key) ?? this.makeRow(item);
    this.rows.set(key, row);
    return row;
  }

  /** @param {Set<unknown>} keys */
  #forget(keys) {
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.dispose?.();
      const hadFocus = row.root.contains(document.activeElement);
      row.root.remove();
      this.rows.delete(key);
      if (hadFocus) this.#takeFocus();
    }
  }

  /** Else the tab key would begin at the page's start. */
  #takeFocus() {
    this.parent.tabIndex = -1;
    this.parent.focus({ preventScroll: true });
  }
}
