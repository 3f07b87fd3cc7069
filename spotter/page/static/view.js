// Which part of the stream is shown.

const BEHIND_S = 0.15; // so that what comes in steps can be shown as it goes on
const JUMP_S = 1.0;

export class View {
  constructor(store, live) {
    this.store = store;
    this.follow = live;
    this.span = 30;
    this.end = 0;
    this.moved = false; // by a person
    this.last = 0;
    this.changed = () => {};
  }

  get begin() {
    return this.end - this.span;
  }

  // Let time go on; `now` in seconds of any clock.
  step(now, live) {
    const passed = Math.min(0.2, now - this.last);
    this.last = now;
    if (this.follow) {
      const wanted = this.store.end - (live ? BEHIND_S : 0);
      const off = wanted - (this.end + passed);
      this.end = !live || Math.abs(off) > JUMP_S ? wanted : Math.min(wanted + BEHIND_S, this.end + passed + 0.1 * off);
    } else if (!this.moved) {
      this.end = this.store.begin + this.span;
    } else if (this.begin < this.store.begin) {
      this.end = Math.min(this.store.begin + this.span, Math.max(this.store.end, this.end));
    }
  }

  setFollow(follow) {
    this.follow = follow;
    this.moved = true;
    this.changed();
  }

  setSpan(seconds) {
    const span = Math.min(this.store.seconds, Math.max(2, seconds));
    if (!this.follow) this.end += (span - this.span) / 2;
    this.span = span;
    this.#hold(this.follow);
  }

  shift(seconds) {
    this.end += seconds;
    this.#hold(false);
  }

  show(seconds) {
    if (this.follow || seconds < this.begin + 0.05 * this.span || seconds > this.end - 0.05 * this.span) {
      this.end = seconds + this.span / 2;
      this.#hold(false);
    }
  }

  #hold(follow) {
    this.moved = true;
    this.follow = follow;
    const most = Math.max(this.store.end, this.store.begin + this.span);
    this.end = Math.min(most, Math.max(this.store.begin + this.span, this.end));
    this.changed();
  }
}
