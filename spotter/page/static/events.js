// The list of events: played, and marked, by a click or by the keyboard.

import { clock } from "./draw.js";
import { key } from "./store.js";

const MOST = 150;
const NOTES = {
  gap: (note) => `${note.seconds.toFixed(2)} s are missing (${note.reason})`,
  skipped: (note) => `too slow: ${note.windows} windows skipped (${note.seconds.toFixed(2)} s)`,
  device_lost: (note) => `device lost: ${note.reason}`,
  device_back: (note) => `device back: ${note.device}`,
  health: (note) => note.message,
};

export class EventList {
  // `act(what, entry)` is called with "play", "select", or whether it was said: true, false.
  constructor(store, act) {
    this.store = store;
    this.act = act;
    this.list = document.getElementById("events");
    this.none = document.getElementById("none");
    this.items = new Map(); // id to its element
    this.shown = [];
    this.selected = null;
    this.playing = null;
    this.list.replaceChildren();
  }

  show(entries) {
    this.shown = entries.slice(0, MOST);
    const wanted = new Set(this.shown.map((entry) => entry.id));
    for (const [id, item] of this.items) {
      if (!wanted.has(id)) {
        item.remove();
        this.items.delete(id);
      }
    }
    let before = this.list.firstElementChild;
    for (const entry of this.shown) {
      let item = this.items.get(entry.id);
      if (!item) {
        item = entry.kind === "note" ? this.#note(entry) : this.#item(entry);
        this.items.set(entry.id, item);
      }
      if (entry.kind !== "note") this.#fill(item, entry);
      if (item === before) before = before.nextElementSibling;
      else this.list.insertBefore(item, before);
    }
    this.none.hidden = this.shown.length > 0;
  }

  // Select the event so many further down, those that are no notes.
  move(by) {
    const some = this.shown.filter((entry) => entry.kind !== "note");
    if (!some.length) return;
    const at = some.findIndex((entry) => entry.id === this.selected);
    const next = some[Math.min(some.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    this.act("select", next);
    this.items.get(next.id).querySelector(".play").focus();
  }

  get current() {
    return this.shown.find((entry) => entry.id === this.selected) ?? null;
  }

  select(id) {
    for (const one of [this.selected, id]) this.items.get(one)?.setAttribute("aria-current", String(one === id));
    this.selected = id;
    this.items.get(id)?.scrollIntoView({ block: "nearest" });
  }

  play(id) {
    for (const one of [this.playing, id]) {
      const button = this.items.get(one)?.querySelector(".play");
      if (button) {
        button.textContent = one === id ? "■" : "▶";
        button.setAttribute("aria-pressed", String(one === id));
      }
    }
    this.playing = id;
  }

  #item(entry) {
    const item = document.createElement("li");
    const play = button("▶", "play");
    play.setAttribute("aria-pressed", "false");
    const head = element("div", "head");
    head.append(element("span", "word"), element("span", "score"), element("span", "time"));
    const marks = element("div", "marks");
    const yes = button("✓ said");
    const no = button("✗ not said");
    marks.append(yes, no);
    item.append(play, head, element("span", "badge"), element("p", "why"), marks);
    const current = () => this.shown.find((one) => one.id === entry.id) ?? entry;
    item.addEventListener("click", () => this.act("play", current()));
    for (const [mark, said] of [[yes, true], [no, false]]) {
      mark.addEventListener("click", (event) => {
        event.stopPropagation();
        this.act(said, current());
      });
    }
    return item;
  }

  #fill(item, entry) {
    const time = clock(entry.time / this.store.rate, 2);
    const mark = this.store.marks.get(key(entry.keyword, entry.time));
    const content = JSON.stringify([entry.kind, entry.badge, entry.why, mark, entry.score]);
    if (item.dataset.content === content) return;
    item.dataset.content = content;
    item.dataset.kind = entry.kind;
    const put = (name, text) => (item.querySelector(name).textContent = text);
    put(".word", entry.keyword);
    put(".score", (entry.score ?? 0).toFixed(2));
    put(".time", time);
    put(".badge", entry.badge);
    put(".why", entry.why.replace(/^fired: |^held back by /, ""));
    item.querySelector(".play").setAttribute("aria-label", `Play ${entry.keyword} at ${time}, ${entry.badge}`);
    const [yes, no] = item.querySelectorAll(".marks button");
    yes.setAttribute("aria-pressed", String(mark === true));
    no.setAttribute("aria-pressed", String(mark === false));
    yes.setAttribute("aria-label", `Right: ${entry.keyword} was said at ${time}`);
    no.setAttribute("aria-label", `Wrong: ${entry.keyword} was not said at ${time}`);
  }

  #note(entry) {
    const item = element("li", "note");
    const text = element("span");
    text.textContent = (NOTES[entry.note.type] ?? (() => entry.note.type))(entry.note);
    const time = element("span", "time");
    time.textContent = clock(entry.time / this.store.rate, 2);
    item.append(text, time);
    return item;
  }
}

function element(tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}

function button(text, name) {
  const made = element("button", name);
  made.type = "button";
  made.textContent = text;
  return made;
}
