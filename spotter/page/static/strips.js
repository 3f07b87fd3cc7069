// The strips: a row for waveform, spectrogram, time and each keyword; sizes, dragging, and when to draw.

import { drawAxis, drawLane, drawMissing, drawWave, x_of } from "./draw.js";
import { Tiles } from "./tiles.js";

const SHORTEST_FRAME_MS = 30;
const AT_REST_MS = 200; // where the view does not move, what came is drawn that often
const NEAR_PX = 12;

export class Strips {
  // `pick(entry)` is called when a mark is clicked.
  constructor(store, view, theme, live, pick) {
    this.scene = { store, view, theme, trying: false };
    this.live = live;
    this.pick = pick;
    this.tiles = new Tiles(store, theme);
    this.entries = store.keywords.map(() => []);
    this.thresholds = store.keywords.map(() => 0.5);
    this.canvases = new Map(); // element to its context
    this.dirty = true; // draw now
    this.stale = false; // something came
    this.drawnAt = 0;
    this.drawnEnd = 0;
    this.running = true;
    this.sizes = new ResizeObserver(() => this.#fit());
    this.lanes = this.#lanes();
    for (const id of ["wave", "spectrogram", "axis"]) this.#add(document.getElementById(id));
    this.#fit();
    requestAnimationFrame((now) => this.#frame(now));
  }

  // Nothing of this one is drawn any more.
  end() {
    this.running = false;
    this.sizes.disconnect();
    document.getElementById("lanes").replaceChildren();
  }

  came() {
    this.tiles.paint();
    this.stale = true;
  }

  recolour() {
    this.tiles.paint(true);
    this.lanes.forEach((lane, n) => (lane.dot.style.background = this.scene.theme.keyword(n)));
    this.dirty = true;
  }

  setEntries(entries, trying) {
    const { store } = this.scene;
    this.scene.trying = trying;
    this.entries = store.keywords.map((keyword) => entries.filter((one) => one.keyword === keyword));
    this.dirty = true;
  }

  #lanes() {
    const { store, theme } = this.scene;
    const place = document.getElementById("lanes");
    const template = (tag, ...classes) => {
      const element = document.createElement(tag);
      element.classList.add(...classes);
      return element;
    };
    return store.keywords.map((keyword, number) => {
      const strip = template("div", "strip", "lane");
      const side = template("div", "side");
      const heading = document.createElement("h2");
      const dot = document.createElement("i");
      dot.style.background = theme.keyword(number);
      const name = document.createElement("span");
      name.textContent = keyword;
      heading.append(dot, name);
      const count = template("p", "count");
      const slider = document.createElement("input");
      Object.assign(slider, { type: "range", min: "0.01", max: "0.995", step: "0.005" });
      slider.setAttribute("aria-label", `Threshold of ${keyword}`);
      slider.dataset.keyword = keyword;
      const value = document.createElement("output");
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Scores of ${keyword}`);
      side.append(heading, count, slider, value);
      strip.append(side, canvas);
      place.append(strip);
      canvas.addEventListener("click", (event) => this.#clicked(event, number));
      this.#add(canvas);
      return { dot, count, slider, value, canvas };
    });
  }

  #add(canvas) {
    this.canvases.set(canvas, canvas.getContext("2d"));
    this.sizes.observe(canvas);
    let from = null;
    canvas.onpointerdown = (event) => {
      from = event.clientX;
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (from === null || Math.abs(event.clientX - from) < 3) return;
      this.scene.view.shift(((from - event.clientX) / canvas.clientWidth) * this.scene.view.span);
      from = event.clientX;
      this.dragged = true;
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      from = null;
      setTimeout(() => (this.dragged = false));
    };
  }

  #clicked(event, number) {
    if (this.dragged) return;
    const { store, view } = this.scene;
    const off = (one) => Math.abs(x_of(one.time / store.rate, view, event.target.clientWidth) - event.offsetX);
    const nearest = this.entries[number].reduce((best, one) => (!best || off(one) < off(best) ? one : best), null);
    if (nearest && off(nearest) <= NEAR_PX) this.pick(nearest);
  }

  #fit() {
    const scale = devicePixelRatio || 1;
    for (const [canvas] of this.canvases) {
      const width = Math.round(canvas.clientWidth * scale);
      const height = Math.round(canvas.clientHeight * scale);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.width = document.getElementById("wave").width; // in pixels of the screen
    this.dirty = true;
  }

  #frame(now) {
    if (!this.running) return;
    requestAnimationFrame((next) => this.#frame(next));
    if (now - this.drawnAt < SHORTEST_FRAME_MS) return;
    const { view } = this.scene;
    view.step(now / 1000, this.live);
    const pixels = (Math.abs(view.end - this.drawnEnd) / view.span) * this.width;
    const late = this.stale && now - this.drawnAt > AT_REST_MS && !view.follow;
    if (!this.dirty && pixels < 1 && !late) return;
    this.drawnAt = now;
    this.drawnEnd = view.end;
    this.dirty = this.stale = false;
    this.#draw();
  }

  #draw() {
    const { scene } = this;
    for (const [canvas, context] of this.canvases) {
      const scale = devicePixelRatio || 1;
      const [width, height] = [canvas.width / scale, canvas.height / scale];
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.fillStyle = scene.theme.panel;
      context.fillRect(0, 0, width, height);
      const number = this.lanes.findIndex((lane) => lane.canvas === canvas);
      if (canvas.id === "wave") drawWave(context, width, height, scene);
      else if (canvas.id === "spectrogram") this.tiles.draw(context, scene.view.begin, scene.view.span, width, height);
      else if (canvas.id === "axis") drawAxis(context, width, height, scene);
      if (canvas.id !== "axis") drawMissing(context, width, height, scene);
      if (number >= 0) {
        const [threshold, entries] = [this.thresholds[number], this.entries[number]];
        drawLane(context, width, height, { ...scene, number, threshold, entries });
      }
    }
  }
}
