// The WebSocket: the token first, messages decoded, opened again when it is lost.

const KINDS = { i1: Int8Array, u1: Uint8Array, i2: Int16Array, f4: Float32Array, f8: Float64Array };
const KEPT_AS = "spotter-token";
const NO_TOKEN = 4401;
const MALFORMED = 1008;
const LONGEST_PAUSE_MS = 8000;

// What is after # in the address is the token: keep it for this tab, and take it out of sight and of the history.
export function takeToken() {
  const given = location.hash.slice(1);
  if (given) {
    sessionStorage.setItem(KEPT_AS, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEPT_AS) ?? "";
}

export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  for (const [name, kind, count] of header.arrays) {
    at += -at & 7;
    const Kind = KINDS[kind];
    header[name] = new Kind(buffer, at, count);
    at += count * Kind.BYTES_PER_ELEMENT;
  }
  return header;
}

export class Wire {
  // `take(message)` gets each message; `state(name)` hears "open", "gone" (it is tried again) or "refused".
  constructor(token, take, state) {
    this.token = token;
    this.take = take;
    this.state = state;
    this.pause = 250;
    this.socket = null;
    this.open();
  }

  open() {
    const socket = new WebSocket(`ws://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.send(JSON.stringify({ token: this.token }));
    };
    socket.onmessage = (event) => {
      this.pause = 250;
      const message = typeof event.data === "string" ? JSON.parse(event.data) : decode(event.data);
      if (message.type === "greeting") this.state("open");
      this.take(message);
    };
    socket.onclose = (event) => {
      this.socket = null;
      if (event.code === NO_TOKEN || event.code === MALFORMED) {
        this.state(event.code === NO_TOKEN ? "refused" : "malformed");
        return;
      }
      this.state("gone");
      setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    };
    this.socket = socket;
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
