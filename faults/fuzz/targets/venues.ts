// Fuzz targets of venue data: lines of captures, frames, and the mappings from frames to prices.

import { ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { CaptureError, isValidEvent, readCapture, toVenueEvents, type VenueEvent } from '@tickbus/capture';
import { loadMapping, readMappedFrame } from '@tickbus/price-gateway/feeds/mapping-module';
import { PriceBook } from '@tickbus/price-gateway/tick';
import fc from 'fast-check';
import { price } from 'tickbus';
import { captures, venueFrames } from '../corpus.ts';
import { mutated } from '../mutations.ts';
import { defineTarget, timed } from '../target.ts';

let folder: string | undefined;

/** Every capture overwrites the same file, because one file per capture would fill the disk. */
function captureFile(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'tickbus-fuzz-'));
    const created = folder;
    process.once('exit', () => rmSync(created, { recursive: true, force: true }));
  }
  return join(folder, 'capture');
}

export const capture = defineTarget({
  name: 'capture',
  inputs: fc.record({
    lines: fc.array(mutated(captures()), { maxLength: 6 }),
    form: fc.constantFrom('plain', 'plain', 'gzip', 'damaged'),
    damageAt: fc.nat(),
    allowTruncated: fc.boolean(),
  }),
  async check({ lines, form, damageAt, allowTruncated }) {
    const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    const bytes = form === 'plain' ? text : gzipSync(text);
    if (form === 'damaged') bytes[damageAt % bytes.length] = damageAt & 0xff;
    const file = captureFile();
    writeFileSync(file, bytes);
    try {
      for await (const record of readCapture(file, { allowTruncated }))
        for (const event of timed('toVenueEvents', () => toVenueEvents(record))) checkEvent(event);
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
    }
  },
});

const mappingOf = (venue: string) =>
  loadMapping(fileURLToPath(new URL(`../../../examples/${venue}-mapping.mjs`, import.meta.url)));
const mappings = await Promise.all(['coinbase', 'simulated-broker'].map(mappingOf));
const ignored = { onInvalidFrame() {}, onSubscribed() {}, onRefused() {}, onEnd() {} };

export const mapping = defineTarget({
  name: 'mapping',
  inputs: fc.array(mutated(venueFrames()), { minLength: 1, maxLength: 10 }),
  check(frames) {
    const books = mappings.map(() => new PriceBook('venue'));
    for (const bytes of frames) {
      const frame = parsed(bytes);
      if (frame === undefined) continue;
      timed('toVenueEvents', () => toVenueEvents({ at: 1, dir: 'in', frame: frame.value })).forEach(
        checkEvent,
      );
      for (const [index, one] of mappings.entries()) {
        const events = timed('readMappedFrame', () => readMappedFrame(one, frame.value, ignored));
        for (const event of events) checkPrice(books[index] as PriceBook, event);
      }
    }
  },
});

/** The gateway either drops an event, or publishes a price that the channel accepts. */
function checkPrice(book: PriceBook, event: VenueEvent): void {
  if (event.kind === 'halt' || event.kind === 'resume') return;
  const outcome = timed('PriceBook.apply', () =>
    event.kind === 'band' ? book.setBand(event) : book.apply(event),
  );
  if (typeof outcome !== 'object') return;
  const { issues } = price['~standard'].validate(outcome) as { issues?: readonly unknown[] };
  ok(issues === undefined, `The price ${JSON.stringify(outcome)} is not valid: ${JSON.stringify(issues)}`);
}

const NUMBERS = [
  'price',
  'size',
  'timestamp',
  'bid',
  'bid_size',
  'ask',
  'ask_size',
  'limit_down',
  'limit_up',
];

/** Every event is valid. The gateway publishes no other field than those that are checked here. */
function checkEvent(event: VenueEvent): void {
  ok(isValidEvent(event), `The event is not valid: ${JSON.stringify(event)}`);
  for (const [field, value] of Object.entries(event))
    if (NUMBERS.includes(field))
      ok(Number.isFinite(value), `${field} of ${JSON.stringify(event)} is ${value}`);
}

function parsed(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(String(bytes)) as unknown };
  } catch {
    return undefined;
  }
}
