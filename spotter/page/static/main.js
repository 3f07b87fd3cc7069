// Joins the parts: messages in, strips and events out.

import { counts, entries } from "./compare.js";
import { Controls } from "./controls.js";
import { clock } from "./draw.js";
import { EventList } from "./events.js";
import { Sound } from "./sound.js";
import { key, Store } from "./store.js";
import { Strips } from "./strips.js";
import { Theme } from "./theme.js";
import { View } from "./view.js";
import { takeToken, Wire } from "./wire.js";

const LIST_MS = 150; // the list is made anew no more often
const byId = (id) => document.getElementById(id);
const spans = document.querySelectorAll("[data-span]");

let store, view, strips, controls, list;
let greeting = null;
let asked = null; // the event whose audio was asked for
let due = null;
const sound = new Sound();
const theme = new Theme(() => strips?.recolour());

function greet(message) {
  const before = { tried: controls?.tried, span: view?.span };
  strips?.end();
  greeting = message;
  store = new Store(message);
  view = new View(store, message.live);
  view.span = before.span ?? 30;
  view.changed = () => {
    byId("follow").setAttribute("aria-pressed", String(view.follow));
    for (const button of spans) button.setAttribute("aria-pressed", String(Number(button.dataset.span) === view.span));
  };
  view.changed();
  strips = new Strips(store, view, theme, message.live, (entry) => act("play", entry));
  list = new EventList(store, act);
  controls = new Controls(message, strips.lanes, tryOut, (settings) => wire.send({ type: "save", ...settings }));
  controls.resume(before.tried);
  thresholds();
  byId("follow").disabled = byId("level").hidden = byId("dbfs").hidden = !message.live;
  byId("what").replaceChildren(bold(message.model), ` hears ${message.source}`);
  byId("bands").textContent = `${message.bands} bands`;
  byId("save").title = `written to ${message.settings_file}`;
  document.title = `${message.source} – spotter`;
}

function take(message) {
  if (message.type === "greeting") greet(message);
  else if (message.type === "columns") store.addColumns(message);
  else if (message.type === "rows") rows(message);
  else if (message.type === "events") happened(message.events);
  else if (message.type === "status") showStatus(message);
  else if (message.type === "audio") {
    if (sound.play(message.samples)) list.play(asked);
    else if (!message.samples.length) banner("The audio of this event is not kept any more.");
  } else if (message.type === "marked") {
    store.marks.set(key(message.keyword, message.time), message.right);
    refresh();
  } else if (message.type === "saved") {
    banner(`Written to ${message.path}. It holds when listening starts again, unless the command line says otherwise.`, "good");
  } else if (message.type === "error") banner(message.message);
  strips.came();
}

function rows(message) {
  store.addRows(message);
  if (message.found.length || message.anew) refresh();
  if (store.endRow > store.firstRow) {
    const level = store.levels[(store.endRow - 1) % store.rows];
    byId("level").value = level;
    byId("dbfs").textContent = `${level.toFixed(0)} dBFS`;
  }
}

function happened(events) {
  store.addEvents(events);
  const last = events.findLast((event) => event.type === "detection");
  if (last) byId("said").textContent = `${last.keyword}, ${last.score.toFixed(2)}`;
  refresh();
}

// Make the list anew, soon, and what is counted.
function refresh() {
  due ??= setTimeout(() => {
    due = null;
    const all = entries(store, controls.trying);
    const shown = byId("held").checked ? all : all.filter((entry) => entry.kind !== "held");
    for (const entry of shown) entry.selected = entry.id === list.selected;
    list.show(shown);
    strips.setEntries(shown, controls.trying);
    controls.showCounts(counts(store));
    byId("verdict").dataset.number = store.tried;
  }, LIST_MS);
}

function tryOut(settings) {
  wire.send({ type: "try", ...settings });
  thresholds();
}

function thresholds() {
  strips.thresholds = store.keywords.map((keyword) => controls.settings.thresholds[keyword]);
  strips.dirty = true;
}

function act(what, entry) {
  list.select(entry.id);
  if (what === true || what === false) {
    wire.send({ type: "mark", keyword: entry.keyword, time: entry.time, right: what });
    return;
  }
  view.show(entry.time / store.rate);
  refresh();
  if (what !== "play") return;
  sound.wake();
  if (list.playing === entry.id) sound.stop();
  else {
    asked = entry.id;
    wire.send({ type: "play", time: entry.time });
  }
}

function showStatus(message) {
  const state = message.waiting ? "waiting" : message.over ? "over" : "listening";
  const words = { waiting: "waiting for the microphone", over: "all heard", listening: "listening" };
  showState(state, words[state]);
  if (message.rate) {
    byId("what").replaceChildren(
      bold(greeting.model), ` hears ${message.source} (${message.rate} Hz, ${message.channels} ch)`,
    );
  }
  const parts = [`${message.detections ?? 0} heard since the start`];
  if (message.lost_s) parts.push(`${message.lost_s.toFixed(2)} s missing`);
  if (message.overflows) parts.push(`${message.overflows} overflows`);
  if (message.skipped_s) parts.push(`${message.skipped_s.toFixed(2)} s skipped`);
  byId("counts").textContent = parts.join(", ");
}

function showState(state, text) {
  byId("state").dataset.state = state;
  byId("state").textContent = text;
}

function connection(state) {
  if (state === "gone") showState("gone", "connection lost, trying again");
  else if (state === "refused") {
    showState("gone", "not connected");
    banner("This page needs the address that spotter printed when it started, with all that is after #.");
  } else if (state === "malformed") showState("gone", "connection closed");
}

function banner(text, kind = "bad") {
  byId("banner-text").textContent = text;
  byId("banner").dataset.kind = kind;
  byId("banner").hidden = false;
}

function bold(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

function pressed(event) {
  if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
  const within = event.target.closest("input, summary");
  const onButton = event.target.closest("button");
  if (within || (onButton && (event.key === " " || event.key === "Enter"))) return;
  const current = list.current;
  const keys = {
    " ": () => greeting.live && view.setFollow(!view.follow),
    ArrowLeft: () => view.shift(-view.span / 4),
    ArrowRight: () => view.shift(view.span / 4),
    "+": () => view.setSpan(view.span / 2),
    "-": () => view.setSpan(view.span * 2),
    j: () => list.move(1),
    k: () => list.move(-1),
    p: () => current && act("play", current),
    y: () => current && act(true, current),
    n: () => current && act(false, current),
  };
  const call = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (call) {
    event.preventDefault();
    call();
  }
}

for (const button of spans) {
  button.onclick = () => view?.setSpan(Number(button.dataset.span));
}
byId("earlier").onclick = () => view?.shift(-view.span / 2);
byId("later").onclick = () => view?.shift(view.span / 2);
byId("follow").onclick = () => view?.setFollow(!view.follow);
byId("held").onchange = refresh;
byId("banner-close").onclick = () => (byId("banner").hidden = true);
sound.onEnd = () => list?.play(null);
document.addEventListener("keydown", pressed);

const wire = new Wire(takeToken(), take, connection);
