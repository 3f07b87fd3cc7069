// The spectrogram as pictures of some columns each, made once and written over.

const WIDTH = 512; // columns of a tile

export class Tiles {
  constructor(store, theme) {
    this.store = store;
    this.theme = theme;
    this.tiles = Array.from({ length: Math.ceil(store.columns / WIDTH) + 1 }, () => {
      const canvas = document.createElement("canvas");
      canvas.width = WIDTH;
      canvas.height = store.bands;
      return canvas.getContext("2d");
    });
    this.done = 0; // columns before this one are painted
  }

  // Paint what came; all of it after the colours have changed.
  paint(anew = false) {
    const { store } = this;
    let first = anew ? store.firstColumn : Math.max(this.done, store.firstColumn);
    if (this.done > store.endColumn) first = store.firstColumn;
    while (first < store.endColumn) {
      const count = Math.min(WIDTH - (first % WIDTH), store.endColumn - first);
      this.#some(first, count);
      first += count;
    }
    this.done = store.endColumn;
  }

  // Draw the columns of a part of the stream, in seconds, over a width.
  draw(context, begin, span, width, height) {
    const { store } = this;
    const scale = store.rate / store.column; // columns a second
    const first = Math.max(store.firstColumn, Math.floor(begin * scale));
    const last = Math.min(store.endColumn, Math.ceil((begin + span) * scale) + 1);
    context.imageSmoothingEnabled = true;
    for (let at = first; at < last; ) {
      const count = Math.min(WIDTH - (at % WIDTH), last - at);
      const x = ((at / scale - begin) / span) * width;
      const wide = (count / scale / span) * width;
      context.drawImage(this.#tile(at).canvas, at % WIDTH, 0, count, store.bands, x, 0, wide + 0.5, height);
      at += count;
    }
  }

  #tile(column) {
    return this.tiles[Math.floor(column / WIDTH) % this.tiles.length];
  }

  #some(first, count) {
    const { store } = this;
    const { bands } = store;
    const image = this.#tile(first).createImageData(count, bands);
    const colours = this.theme.loudness;
    for (let n = 0; n < count; n++) {
      const from = ((first + n) % store.columns) * bands;
      for (let band = 0; band < bands; band++) {
        const at = 4 * ((bands - 1 - band) * count + n);
        const colour = 4 * store.spectrogram[from + band];
        image.data[at] = colours[colour];
        image.data[at + 1] = colours[colour + 1];
        image.data[at + 2] = colours[colour + 2];
        image.data[at + 3] = 255;
      }
    }
    this.#tile(first).putImageData(image, first % WIDTH, 0);
  }
}
