// Draws one strip: waveform, curve of a keyword, marks, what is missing, time.

const QUIET = 700; // of 32768: what is quieter than that is not drawn larger

export function drawWave(context, width, height, { store, view, theme }) {
  const scale = store.rate / store.column;
  const middle = height / 2;
  context.strokeStyle = theme.line;
  line(context, 0, middle, width, middle);
  context.fillStyle = theme.wave;
  let loudest = QUIET;
  each(store, view, width, scale, (_, low, high) => {
    loudest = Math.max(loudest, high, -low);
  });
  const gain = (0.92 * middle) / loudest;
  each(store, view, width, scale, (x, low, high) => {
    context.fillRect(x, middle - high * gain, 1, Math.max(1, (high - low) * gain));
  });
}

// Lay hatching where samples are missing, or have not come.
export function drawMissing(context, width, height, { store, view, theme }) {
  const scale = store.rate / store.column;
  context.fillStyle = theme.hatch;
  let from = null;
  const end = (until) => {
    if (from !== null) hatch(context, from, until, height, theme);
    from = null;
  };
  each(store, view, width, scale, (x) => end(x), (x) => {
    from ??= x;
  });
  end(Math.min(width, x_of(store.endColumn / scale, view, width)));
}

export function drawLane(context, width, height, { store, view, theme, number, threshold, trying, entries }) {
  const words = store.keywords.length;
  const y = (value) => 9 + (1 - value) * (height - 13);
  const colour = theme.keyword(number);
  const raw = new Path2D();
  const smooth = new Path2D();
  const limit = new Path2D();
  const last = Math.min(store.endRow, store.rowAt(view.end) + 1);
  const perPixel = Math.max(1, Math.floor((view.span * store.rate) / store.hop / width));
  let before = null;
  let firstX = 0;
  let x = 0;
  for (let row = Math.max(store.firstRow, store.rowAt(view.begin) - 1); row < last; row += perPixel) {
    let highest = 0;
    let plain = 0;
    const until = Math.min(last, row + perPixel);
    for (let n = row; n < until; n++) {
      const at = (n % store.rows) * words + number;
      highest = Math.max(highest, store.smoothed[at]);
      plain = Math.max(plain, store.scores[at]);
    }
    const at = (until - 1) % store.rows;
    x = x_of(store.ends[at] / store.rate, view, width);
    const broken = before === null || store.ends[at] - before > (perPixel + 0.5) * store.hop;
    if (broken) firstX = x;
    for (const [path, value] of [[raw, plain], [smooth, highest], [limit, store.share[at] * threshold]]) {
      if (broken) path.moveTo(x, y(value));
      else path.lineTo(x, y(value));
    }
    before = store.ends[at];
  }
  context.lineJoin = "round";
  context.strokeStyle = theme.dim;
  context.setLineDash([4, 4]);
  context.lineWidth = 1;
  context.stroke(limit);
  context.setLineDash([]);
  context.strokeStyle = colour;
  context.globalAlpha = 0.35;
  context.stroke(raw);
  context.globalAlpha = 1;
  context.lineWidth = 1.75;
  context.stroke(smooth);
  if (before !== null) {
    smooth.lineTo(x, y(0));
    smooth.lineTo(firstX, y(0));
    context.globalAlpha = 0.13;
    context.fillStyle = colour;
    context.fill(smooth);
    context.globalAlpha = 1;
  }
  for (const entry of entries) {
    const place = x_of(entry.time / store.rate, view, width);
    if (place >= -8 && place <= width + 8) drawMark(context, place, y(entry.score ?? 0), height, entry, theme, trying);
  }
}

function drawMark(context, x, y, height, entry, theme) {
  const colour = { fired: theme.good, new: theme.fresh, gone: theme.bad, held: theme.held }[entry.kind];
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  if (entry.kind !== "held") {
    context.globalAlpha = 0.55;
    if (entry.kind === "gone") context.setLineDash([3, 3]);
    line(context, x, 0, x, height);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }
  context.beginPath();
  context.arc(x, y, entry.kind === "held" ? 3.5 : 4.5, 0, 2 * Math.PI);
  if (entry.kind === "fired" || entry.kind === "new") context.fill();
  else {
    context.fillStyle = theme.panel;
    context.fill();
    context.stroke();
  }
  if (entry.selected) {
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.stroke();
  }
}

export function drawAxis(context, width, height, { view, theme }) {
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60];
  const step = steps.find((one) => (one / view.span) * width >= 64) ?? 60;
  context.fillStyle = theme.dim;
  context.strokeStyle = theme.line;
  context.font = "11px system-ui, sans-serif";
  for (let at = Math.ceil(Math.max(0, view.begin) / step) * step; at <= view.end; at += step) {
    const x = x_of(at, view, width);
    line(context, x, 0, x, 4);
    context.textAlign = x < 18 ? "left" : x > width - 18 ? "right" : "center";
    context.fillText(clock(at, step < 1 ? 1 : 0), Math.min(width, Math.max(0, x)), height - 7);
  }
}

export function clock(seconds, digits) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = (seconds - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function x_of(seconds, view, width) {
  return ((seconds - view.begin) / view.span) * width;
}

// Call for each pixel with the lowest and highest sample of its columns; `gap` for those without samples.
function each(store, view, width, scale, call, gap = () => {}) {
  for (let x = 0; x < width; x++) {
    const from = Math.floor((view.begin + (x / width) * view.span) * scale);
    const to = Math.max(from + 1, Math.floor((view.begin + ((x + 1) / width) * view.span) * scale));
    let low = 32767;
    let high = -32768;
    let missing = false;
    for (let n = Math.max(from, store.firstColumn); n < Math.min(to, store.endColumn); n++) {
      const at = 2 * (n % store.columns);
      if (store.wave[at] > store.wave[at + 1]) missing = true;
      else {
        low = Math.min(low, store.wave[at]);
        high = Math.max(high, store.wave[at + 1]);
      }
    }
    if (high >= low) call(x, low, high);
    else if (missing) gap(x);
  }
}

function hatch(context, from, to, height, theme) {
  context.save();
  context.beginPath();
  context.rect(from, 0, Math.max(2, to - from), height);
  context.clip();
  context.strokeStyle = theme.hatch;
  context.lineWidth = 2;
  for (let x = from - height; x < to + 8; x += 8) line(context, x, height, x + height, 0);
  context.restore();
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
