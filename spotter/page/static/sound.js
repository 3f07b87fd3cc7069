// Plays clips that came over the WebSocket, one at a time.

const RATE = 16000;

export class Sound {
  constructor() {
    this.context = null;
    this.source = null;
    this.onEnd = () => {};
  }

  // Browsers let a page make sound only after somebody has pressed something in it.
  wake() {
    this.context ??= new AudioContext();
    if (this.context.state === "suspended") this.context.resume();
  }

  // Play, and say whether there was anything to be played.
  play(samples) {
    this.stop();
    if (!this.context || !samples.length) return false;
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    const channel = buffer.getChannelData(0);
    for (let n = 0; n < samples.length; n++) channel[n] = samples[n] / 32768;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.onended = () => {
      if (this.source === source) this.stop();
    };
    source.start();
    this.source = source;
    return true;
  }

  stop() {
    const source = this.source;
    this.source = null;
    if (source) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.onEnd();
  }
}
