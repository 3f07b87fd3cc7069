// The last minutes, in arrays that are made once: an hour takes no more room than five minutes.

const LONGEST_LIST = 1000;

export class Store {
  constructor(greeting) {
    this.rate = greeting.sample_rate;
    this.seconds = greeting.seconds;
    this.keywords = greeting.keywords;
    this.hop = greeting.hop;
    this.column = greeting.column;
    this.bands = greeting.bands;
    // Columns of waveform and spectrogram, and windows, by their number modulo how many there are.
    this.columns = Math.floor((this.seconds * this.rate) / this.column);
    this.wave = new Int16Array(2 * this.columns);
    this.spectrogram = new Uint8Array(this.bands * this.columns);
    this.firstColumn = this.endColumn = 0;
    this.rows = Math.floor((this.seconds * this.rate) / this.hop) + 1;
    this.ends = new Float64Array(this.rows);
    this.levels = new Float32Array(this.rows);
    this.share = new Float32Array(this.rows);
    this.scores = new Float32Array(this.rows * this.keywords.length);
    this.smoothed = new Float32Array(this.rows * this.keywords.length);
    this.firstRow = this.endRow = 0;
    this.comparableFrom = 0; // seconds: from where on the decoder, with these settings, is past its beginning
    this.tried = 0; // number of the settings whose results these are; 0: those in use
    this.detections = []; // what was heard, in the order of time
    this.found = new Map(); // what these settings give: events and what was held back
    this.notes = [];
    this.marks = new Map(greeting.marks.map(([keyword, time, right]) => [key(keyword, time), right]));
  }

  get end() {
    const ofRows = this.endRow > this.firstRow ? this.ends[(this.endRow - 1) % this.rows] : 0;
    return Math.max(ofRows, this.endColumn * this.column) / this.rate;
  }

  get begin() {
    return Math.max(0, this.end - this.seconds, (this.firstColumn * this.column) / this.rate);
  }

  addColumns({ first, wave, spectrogram }) {
    const count = wave.length / 2;
    if (first !== this.endColumn) {
      if (first < this.endColumn || first - this.endColumn >= this.columns || !this.endColumn) {
        this.firstColumn = first;
      } else {
        for (let n = this.endColumn; n < first; n++) this.#missing(n);
      }
    }
    for (let n = 0; n < count; n++) {
      const at = (first + n) % this.columns;
      this.wave[2 * at] = wave[2 * n];
      this.wave[2 * at + 1] = wave[2 * n + 1];
      this.spectrogram.set(spectrogram.subarray(n * this.bands, (n + 1) * this.bands), at * this.bands);
    }
    this.endColumn = first + count;
    this.firstColumn = Math.max(this.firstColumn, this.endColumn - this.columns);
  }

  addRows({ first, anew, number, ends, levels, share, scores, smoothed, found }) {
    if (anew || first !== this.endRow) this.firstRow = first;
    if (anew) {
      this.found.clear();
      this.tried = number;
      this.comparableFrom = first && ends.length ? ends[0] / this.rate + 1 : 0;
    }
    const width = this.keywords.length;
    for (let n = 0; n < ends.length; n++) {
      const at = (first + n) % this.rows;
      this.ends[at] = ends[n];
      this.levels[at] = levels[n];
      this.share[at] = share[n];
      this.scores.set(scores.subarray(n * width, (n + 1) * width), at * width);
      this.smoothed.set(smoothed.subarray(n * width, (n + 1) * width), at * width);
    }
    this.endRow = first + ends.length;
    this.firstRow = Math.max(this.firstRow, this.endRow - this.rows);
    for (const one of found) this.found.set(key(one.keyword, one.time), one);
    this.#forget();
  }

  addEvents(events) {
    for (const event of events) (event.type === "detection" ? this.detections : this.notes).push(event);
    this.#forget();
  }

  // The number of the first window that ends at or after so many seconds.
  rowAt(seconds) {
    let low = this.firstRow;
    let high = this.endRow;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle % this.rows] < seconds * this.rate) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #missing(number) {
    const at = number % this.columns;
    this.wave[2 * at] = 1; // lowest above highest: nothing is there
    this.wave[2 * at + 1] = -1;
    this.spectrogram.fill(0, at * this.bands, (at + 1) * this.bands);
  }

  #forget() {
    const begin = (this.end - this.seconds) * this.rate;
    this.detections = kept(this.detections, begin);
    this.notes = kept(this.notes, begin);
    for (const [id, one] of this.found) if (one.time < begin) this.found.delete(id);
    for (const id of this.marks.keys()) {
      if (Number(id.slice(id.lastIndexOf("@") + 1)) < begin) this.marks.delete(id);
    }
  }
}

export function key(keyword, time) {
  return `${keyword}@${time}`;
}

function kept(list, begin) {
  return list.filter((one) => one.time >= begin).slice(-LONGEST_LIST);
}
