// Colours: those of the style sheet, of keywords, and of the spectrogram, for light and for dark.

const NAMES = ["panel", "ink", "dim", "line", "faint", "wave", "good", "held", "bad", "fresh", "hatch"];
const KEYWORDS = {
  light: ["#2f5fd0", "#c2410c", "#12733f", "#9333c9", "#b08900", "#0e7c86", "#c0266b", "#5b6472"],
  dark: ["#8fb0ff", "#ff9d66", "#6fd39b", "#d49bff", "#f0cf57", "#5fd3de", "#ff8fc0", "#b4bdcc"],
};
const SPECTROGRAM = {
  light: ["#ffffff", "#e3e9f7", "#a9bfe8", "#5b7fd0", "#2b3f97", "#150f47"],
  dark: ["#12141b", "#2a1d55", "#732a80", "#c64a73", "#f6905a", "#fde7a4"],
};

export class Theme {
  constructor(changed) {
    this.query = matchMedia("(prefers-color-scheme: dark)");
    this.query.addEventListener("change", () => {
      this.read();
      changed();
    });
    this.read();
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) this[name] = style.getPropertyValue(`--${name}`).trim();
    const kind = this.query.matches ? "dark" : "light";
    this.keywords = KEYWORDS[kind];
    this.loudness = ramp(SPECTROGRAM[kind]);
  }

  keyword(number) {
    return this.keywords[number % this.keywords.length];
  }
}

// 256 colours between some, as red, green, blue, opaque.
function ramp(colours) {
  const stops = colours.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  const table = new Uint8ClampedArray(4 * 256);
  for (let n = 0; n < 256; n++) {
    const place = (n / 255) * (stops.length - 1);
    const at = Math.min(stops.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) table[4 * n + c] = stops[at][c] + (place - at) * (stops[at + 1][c] - stops[at][c]);
    table[4 * n + 3] = 255;
  }
  return table;
}
