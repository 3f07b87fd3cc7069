// What was heard beside what the tried settings give, as entries of one list. No decision is made here.

import { key } from "./store.js";

const SAME_S = 0.75; // an event of the same keyword so near is the same word

// Entries, newest first: {id, kind, keyword, time, score, badge, why}; kind is "fired", "held", "gone", "new" or "note".
export function entries(store, trying) {
  const found = [...store.found.values()];
  const list = trying ? compared(store, found) : asHeard(store, found);
  for (const note of store.notes) list.push({ id: `${note.type}@${note.time}`, kind: "note", time: note.time, note });
  return list.sort((a, b) => b.time - a.time);
}

// How many events there are in use and tried, by keyword; what was before the decoder began is not compared.
export function counts(store) {
  const result = new Map(store.keywords.map((keyword) => [keyword, { used: 0, tried: 0 }]));
  for (const one of comparable(store)) result.get(one.keyword).used++;
  for (const one of store.found.values()) if (one.rule === "fired") result.get(one.keyword).tried++;
  return result;
}

function asHeard(store, found) {
  const heard = new Set();
  const list = store.detections.map((one) => {
    const id = key(one.keyword, one.time);
    heard.add(id);
    return { ...one, id, kind: "fired", badge: "fired", why: store.found.get(id)?.why ?? "" };
  });
  for (const one of found) {
    const id = key(one.keyword, one.time);
    if (one.rule !== "fired" && !heard.has(id)) list.push(heldBack(one, id));
  }
  return list;
}

function compared(store, found) {
  const fired = found.filter((one) => one.rule === "fired");
  const list = [];
  for (const one of comparable(store)) {
    const at = fired.findIndex((other) => same(store, one, other));
    const id = key(one.keyword, one.time);
    if (at >= 0) {
      const [now] = fired.splice(at, 1);
      const later = (now.time - one.time) / store.rate;
      const moved = later ? `, ${Math.abs(later).toFixed(2)} s ${later > 0 ? "later" : "earlier"}` : "";
      list.push({ ...one, id, kind: "fired", badge: `still fires${moved}`, why: now.why });
    } else {
      const instead = found.find((other) => other.rule !== "fired" && same(store, one, other));
      list.push({ ...one, id, kind: "gone", badge: "would not fire", why: instead?.why ?? "" });
    }
  }
  const gone = list.filter((one) => one.kind === "gone");
  for (const one of fired) list.push({ ...one, id: key(one.keyword, one.time), kind: "new", badge: "would fire" });
  for (const one of found) {
    const told = gone.some((other) => same(store, one, other));
    if (one.rule !== "fired" && !told) list.push(heldBack(one, key(one.keyword, one.time)));
  }
  return list;
}

function comparable(store) {
  return store.detections.filter((one) => one.time / store.rate >= store.comparableFrom);
}

function heldBack(one, id) {
  return { ...one, id, kind: "held", badge: `held back: ${one.rule}` };
}

function same(store, one, other) {
  return one.keyword === other.keyword && Math.abs(one.time - other.time) <= SAME_S * store.rate;
}
