// The sliders: what they say is tried at once, and saved when that is asked for.

const PAUSE_MS = 60;

export class Controls {
  // `changed(settings or null)`: try these; null: those in use again. `save(settings)`: write them down.
  constructor(greeting, lanes, changed, save) {
    this.inUse = greeting.in_use;
    this.keywords = greeting.keywords;
    this.lanes = lanes;
    this.changed = changed;
    this.number = 0;
    this.trying = false;
    this.timer = null;
    this.smooth = document.getElementById("smooth");
    this.margin = document.getElementById("margin");
    this.back = document.getElementById("back");
    this.save = document.getElementById("save");
    this.settings = structuredClone(this.inUse);
    for (const input of this.#inputs()) input.oninput = () => this.#moved(input);
    this.back.onclick = () => this.reset();
    this.save.onclick = () => save({ number: this.number, ...this.settings });
    document.getElementById("settings").onsubmit = (event) => event.preventDefault();
    this.#show();
  }

  // Settings that another connection tried are tried again on this one.
  resume(settings) {
    if (!settings) return;
    this.settings = settings;
    this.#show();
    this.#try();
  }

  get tried() {
    return this.trying ? this.settings : null;
  }

  reset() {
    this.settings = structuredClone(this.inUse);
    this.#show();
    this.#try();
  }

  showCounts(counts) {
    let used = 0;
    let tried = 0;
    this.keywords.forEach((keyword, n) => {
      const one = counts.get(keyword);
      used += one.used;
      tried += one.tried;
      const text = this.trying && one.used !== one.tried ? `${one.used} → ${one.tried}` : `${one.used}`;
      this.lanes[n].count.textContent = text;
    });
    const verdict = document.getElementById("verdict");
    const events = `${tried} ${tried === 1 ? "event" : "events"}`;
    verdict.textContent = !this.trying ? "as it is set" : `${events} ${tried === used ? "as now" : `instead of ${used}`}`;
    verdict.dataset.used = used;
    verdict.dataset.tried = this.trying ? tried : used;
  }

  #inputs() {
    return [...this.lanes.map((lane) => lane.slider), this.smooth, this.margin];
  }

  #moved(input) {
    const value = Number(input.value);
    if (input === this.smooth) this.settings.smooth_ms = value;
    else if (input === this.margin) this.settings.margin = value;
    else this.settings.thresholds[input.dataset.keyword] = value;
    this.#values();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#try(), PAUSE_MS);
  }

  #try() {
    this.trying = !alike(this.settings, this.inUse);
    this.back.disabled = !this.trying;
    this.save.disabled = !this.trying;
    this.number++;
    this.changed({ number: this.number, ...this.settings });
  }

  #show() {
    this.keywords.forEach((keyword, n) => (this.lanes[n].slider.value = this.settings.thresholds[keyword]));
    this.smooth.max = Math.max(500, this.settings.smooth_ms);
    this.smooth.value = this.settings.smooth_ms;
    this.margin.value = this.settings.margin;
    this.#values();
  }

  #values() {
    const { thresholds, smooth_ms: smooth, margin } = this.settings;
    this.keywords.forEach((keyword, n) => {
      const text = thresholds[keyword].toFixed(3).replace(/0$/, "");
      this.lanes[n].value.textContent = text;
      this.lanes[n].slider.setAttribute("aria-valuetext", text);
    });
    document.getElementById("smooth-value").textContent = `${Math.round(smooth)} ms`;
    document.getElementById("margin-value").textContent = margin.toFixed(2);
    this.smooth.setAttribute("aria-valuetext", `${Math.round(smooth)} milliseconds`);
  }
}

function alike(one, other) {
  const same = Object.keys(one.thresholds).every((k) => Math.abs(one.thresholds[k] - other.thresholds[k]) < 1e-9);
  return same && one.smooth_ms === other.smooth_ms && one.margin === other.margin;
}
