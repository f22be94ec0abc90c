// Reads JSON documents of which most are like earlier ones, and learns from those that it could not read.

import { DocumentShape } from './document-shape.ts';

/** The most shapes that are tried; the one that was of use last is the first. */
const MAX_SHAPES = 4;
/** How often a shape has to be of use to have been worth learning. */
const PRICE = 32;
/** What may be spent in advance. */
const CREDIT = 4 * PRICE;
/** What is regained with each document that could not be read, so that what was hopeless once is tried again at times. */
const REGAINED = 1 / 32;

/**
 * Learning takes as long as reading some twenty documents, so it has to be earned: where documents are never alike, as order books of
 * changing lengths, all but one in a thousand are left alone.
 */
export class FamiliarDocuments {
  readonly #shapes: AdaptiveShape[] = [];
  #credit = CREDIT;
  #buffer: ArrayBufferLike | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;

  /** Where the document that was read last ends, counted from the beginning of the bytes. */
  get end(): number {
    return this.#end;
  }

  /** The document that begins at `from`; undefined: it is not like any that was learned. */
  read(bytes: Uint8Array, from: number): object | undefined {
    const shapes = this.#shapes;
    if (shapes.length === 0) return this.#missed();
    // Many messages stand in what was received at once.
    if (bytes.buffer !== this.#buffer) {
      this.#buffer = bytes.buffer;
      this.#view = new DataView(bytes.buffer);
    }
    const { byteOffset, byteLength } = bytes;
    for (let index = 0; index < shapes.length; index++) {
      const shape = shapes[index] as AdaptiveShape;
      const document = shape.read(this.#view, byteOffset + from, byteOffset + byteLength);
      if (document === undefined) continue;
      if (index > 0) shapes.unshift(...shapes.splice(index, 1));
      if (this.#credit < CREDIT) this.#credit++;
      this.#end = shape.end - byteOffset;
      return document;
    }
    return this.#missed();
  }

  /** @param document as JSON.parse gave it, valid, and not to be read */
  learn(document: object): void {
    if (this.#credit < PRICE) return;
    this.#credit -= PRICE;
    const shape = DocumentShape.of(document);
    // One of a shape that is known was not read because of what is in it.
    if (shape === undefined || this.#shapes.some(({ layout }) => layout === shape.layout)) return;
    this.#shapes.unshift(new AdaptiveShape(shape));
    this.#shapes.length = Math.min(this.#shapes.length, MAX_SHAPES);
  }

  #missed(): undefined {
    if (this.#credit < CREDIT) this.#credit += REGAINED;
  }
}

/** After so many documents, what was the same in all of them is taken as the rule. */
const FIRST_LOOK = 16;
const LONGEST_LOOK = 65_536;

/**
 * A shape, and a narrower one of what has never changed so far (the sender, the epoch), which is tried first. Where that one fails on
 * a document of the wider shape, it takes twice as long to believe in the next.
 */
class AdaptiveShape {
  #wide: DocumentShape;
  #narrow: DocumentShape | undefined;
  #look = FIRST_LOOK;
  #seen = 0;
  #end = 0;

  constructor(wide: DocumentShape) {
    this.#wide = wide;
  }

  get layout(): string {
    return this.#wide.layout;
  }

  get end(): number {
    return this.#end;
  }

  read(view: DataView, from: number, to: number): object | undefined {
    const narrow = this.#narrow;
    const asEver = narrow?.read(view, from, to);
    if (narrow !== undefined && asEver !== undefined) {
      this.#end = narrow.end;
      return asEver;
    }
    const document = this.#wide.read(view, from, to);
    if (document === undefined) return undefined;
    this.#end = this.#wide.end;
    if (narrow === undefined) this.#compare();
    else this.#beginAnew(document);
    return document;
  }

  #compare(): void {
    this.#wide.compare();
    if (++this.#seen < this.#look) return;
    this.#narrow = this.#wide.narrowed();
    if (this.#narrow === undefined) this.#lookLonger();
  }

  #beginAnew(document: object): void {
    this.#wide = DocumentShape.of(document) ?? this.#wide;
    this.#narrow = undefined;
    this.#lookLonger();
  }

  #lookLonger(): void {
    this.#seen = 0;
    this.#look = Math.min(2 * this.#look, LONGEST_LOOK);
  }
}
