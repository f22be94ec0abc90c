// Decodes JSON documents by templates, which it learns from documents that matched none.

import { DocumentTemplate } from './document-template.ts';

/** Maximum number of templates. The one that matched last is tried first. */
const MAX_TEMPLATES = 4;
/** What learning a template costs of the learning budget. Each match adds 1, so this many matches pay for it. */
const LEARN_COST = 32;
/** The initial and the largest budget. */
const MAX_BUDGET = 4 * LEARN_COST;
/** What each document without a matching template adds to the budget, so that learning is retried occasionally. */
const BUDGET_PER_MISS = 1 / 32;

/**
 * Learning a template takes as long as decoding about twenty documents, so a budget limits it. If no two documents have
 * the same layout, as with order books of varying lengths, the decoder learns from about one document in a thousand.
 */
export class TemplateDecoder {
  readonly #templates: DocumentTemplate[] = [];
  #budget = MAX_BUDGET;
  #buffer: ArrayBufferLike | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;

  /** The end of the last document that was read, as an offset in the bytes. */
  get end(): number {
    return this.#end;
  }

  /** The document that begins at `from`; undefined if no template matches. */
  read(bytes: Uint8Array, from: number): object | undefined {
    const templates = this.#templates;
    if (templates.length === 0) return this.#onMiss();
    // Many messages share the buffer of one socket read.
    if (bytes.buffer !== this.#buffer) {
      this.#buffer = bytes.buffer;
      this.#view = new DataView(bytes.buffer);
    }
    const { byteOffset, byteLength } = bytes;
    for (let index = 0; index < templates.length; index++) {
      const template = templates[index] as DocumentTemplate;
      const document = template.read(this.#view, byteOffset + from, byteOffset + byteLength);
      if (document === undefined) continue;
      if (index > 0) templates.unshift(...templates.splice(index, 1));
      if (this.#budget < MAX_BUDGET) this.#budget++;
      this.#end = template.end - byteOffset;
      return document;
    }
    return this.#onMiss();
  }

  /** @param document a valid result of JSON.parse that `read` did not match */
  learn(document: object): void {
    if (this.#budget < LEARN_COST) return;
    this.#budget -= LEARN_COST;
    const template = DocumentTemplate.of(document);
    // If the layout is known, the document did not match because of a value, so the template would not help.
    if (template === undefined || this.#templates.some(({ layout }) => layout === template.layout)) return;
    this.#templates.unshift(template);
    this.#templates.length = Math.min(this.#templates.length, MAX_TEMPLATES);
  }

  #onMiss(): undefined {
    if (this.#budget < MAX_BUDGET) this.#budget += BUDGET_PER_MISS;
  }
}
