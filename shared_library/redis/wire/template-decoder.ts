// Reads JSON documents of which most are like earlier ones, and learns from those that it could not read.

import { DocumentTemplate } from './document-template.ts';

/** The most shapes that are tried; the one that matched last is tried first. */
const MAX_TEMPLATES = 4;
/** What learning a shape costs, counted in documents that a shape has to match to pay for it. */
const LEARN_COST = 32;
/** The budget at the start, and the largest. */
const MAX_BUDGET = 4 * LEARN_COST;
/** What a document that matched no shape adds to the budget, so that learning is tried again from time to time. */
const BUDGET_PER_MISS = 1 / 32;

/**
 * Learning takes as long as reading some twenty documents, so it has a budget. Where no two documents are alike, such as order books of
 * changing lengths, all but one in a thousand are left alone.
 */
export class TemplateDecoder {
  readonly #templates: DocumentTemplate[] = [];
  #budget = MAX_BUDGET;
  #buffer: ArrayBufferLike | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;

  /** Where the document that was read last ends, counted from the beginning of the bytes. */
  get end(): number {
    return this.#end;
  }

  /** The document that begins at `from`; undefined: it matches no shape. */
  read(bytes: Uint8Array, from: number): object | undefined {
    const shapes = this.#templates;
    if (shapes.length === 0) return this.#onMiss();
    // One chunk of the socket holds many messages.
    if (bytes.buffer !== this.#buffer) {
      this.#buffer = bytes.buffer;
      this.#view = new DataView(bytes.buffer);
    }
    const { byteOffset, byteLength } = bytes;
    for (let index = 0; index < shapes.length; index++) {
      const shape = shapes[index] as DocumentTemplate;
      const document = shape.read(this.#view, byteOffset + from, byteOffset + byteLength);
      if (document === undefined) continue;
      if (index > 0) shapes.unshift(...shapes.splice(index, 1));
      if (this.#budget < MAX_BUDGET) this.#budget++;
      this.#end = shape.end - byteOffset;
      return document;
    }
    return this.#onMiss();
  }

  /** @param document the result of JSON.parse, valid, that `read` did not match */
  learn(document: object): void {
    if (this.#budget < LEARN_COST) return;
    this.#budget -= LEARN_COST;
    const shape = DocumentTemplate.of(document);
    // A document of a known shape did not match because of a value in it.
    if (shape === undefined || this.#templates.some(({ layout }) => layout === shape.layout)) return;
    this.#templates.unshift(shape);
    this.#templates.length = Math.min(this.#templates.length, MAX_TEMPLATES);
  }

  #onMiss(): undefined {
    if (this.#budget < MAX_BUDGET) this.#budget += BUDGET_PER_MISS;
  }
}
