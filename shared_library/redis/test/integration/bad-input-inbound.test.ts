// Invalid incoming messages, on Redis and in memory: reported, never delivered, never fatal.

import { EventRecorder, RecordingLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { type InvalidMessage, RedisSubscriber } from '../../subscriber.ts';
import { frameOf } from '../channels.fixture.ts';
import { describeOnServers, validPrice } from './bad-input.fixture.ts';

const PRICE_DATA = CHANNELS.PRICE_DATA;

const utf8 = new TextEncoder();
const text = (value: string) => utf8.encode(value);
const changed = (change: object) => frameOf({ ...validPrice, ...change });
const withData = (change: object) => changed({ data: { ...validPrice.data, ...change } });
/** The message with `"@"` in its payload replaced by raw JSON. */
const withJson = (json: string) =>
  text(JSON.stringify({ ...validPrice, data: { ...validPrice.data, x: '@' } }).replace('"@"', json));
const nestedJson = (depth: number) => '{"a":'.repeat(depth) + 1 + '}'.repeat(depth);
const missing = (field: string) => changed({ [field]: undefined });
const bytesWithin = (...bytes: number[]) => {
  const [head, tail] = JSON.stringify({ ...validPrice, sender: '@' }).split('@') as [string, string];
  return Uint8Array.from([...text(head), ...bytes, ...text(tail)]);
};

const INBOUND: readonly (readonly [name: string, frame: Uint8Array, field: string | RegExp | undefined])[] = [
  ['an empty message', text(''), undefined],
  ['invalid JSON', text('{"message_type":"price",'), undefined],
  ['text that is not JSON', text('hello'), undefined],
  ['two documents', text('{}{}'), undefined],
  ['an array', text('[1]'), undefined],
  ['a number', text('42'), undefined],
  ['a string', text('"price"'), undefined],
  ['null', text('null'), undefined],
  ['true', text('true'), undefined],
  ['an empty object', text('{}'), 'message_type'],
  ...['message_type', 'data', 'timestamp', 'sender'].map(
    (field) => [`no ${field}`, missing(field), field] as const,
  ),
  ['a message_type that is a number', changed({ message_type: 1 }), 'message_type'],
  ['an empty message_type', changed({ message_type: '' }), 'message_type'],
  ['data that is an array', changed({ data: [1] }), 'data'],
  ['data that is a string', changed({ data: 'text' }), 'data'],
  ['data that is null', changed({ data: null }), 'data'],
  ['a timestamp that is a string', changed({ timestamp: '1' }), 'timestamp'],
  ['a timestamp that is null', changed({ timestamp: null }), 'timestamp'],
  ['a sender that is a number', changed({ sender: 7 }), 'sender'],
  ['a seq that is a string', changed({ seq: '1', epoch: 1 }), 'seq'],
  ['a negative seq', changed({ seq: -1, epoch: 1 }), 'seq'],
  ['an epoch that is not an integer', changed({ seq: 1, epoch: 1.5 }), 'epoch'],
  ['a seq without an epoch', changed({ seq: 1 }), /^(seq|epoch)$/],
  ['an epoch without a seq', changed({ epoch: 1 }), /^(seq|epoch)$/],
  ['an at that is a string', changed({ at: 'now' }), 'at'],
  ['an id that is a number', changed({ id: 1 }), 'id'],
  ['an id of 129 characters', changed({ id: 'i'.repeat(129) }), 'id'],
  ['a sender of 255 KB', changed({ sender: 's'.repeat(255_000) }), 'sender'],
  ['a message_type of 255 KB', changed({ message_type: 't'.repeat(255_000) }), 'message_type'],
  ['a key of 257 characters', withData({ symbol: 'S'.repeat(257) }), 'data'],
  ['an expires_at that is a string', changed({ expires_at: 'soon' }), 'expires_at'],
  ['an unknown message type', changed({ message_type: 'quote' }), 'message_type'],
  ...['toString', 'constructor', '__proto__', 'hasOwnProperty'].map(
    (type) => [`the message type ${type}`, changed({ message_type: type }), 'message_type'] as const,
  ),
  ['a payload field of another type', withData({ price: '1' }), 'data.price'],
  ['a missing payload field', withData({ symbol: undefined }), 'data.symbol'],
  ['a payload value out of range', withData({ bid_size: -1 }), 'data.bid_size'],
  ['300 KiB', withData({ x: 'x'.repeat(300 * 1024) }), undefined],
  ['300 KiB of three-byte characters', withData({ x: '€'.repeat(100 * 1024) }), undefined],
  ['a depth of 1,000,000', withJson('['.repeat(1_000_000) + ']'.repeat(1_000_000)), undefined],
  [
    'a depth of 100,000 within the size limit',
    withJson('['.repeat(100_000) + ']'.repeat(100_000)),
    undefined,
  ],
  ['a depth of 40 within the size limit', withJson(nestedJson(40)), /^data\.x(\.a)+$/],
  ['a byte that is not UTF-8', bytesWithin(0xff), undefined],
  ['an overlong UTF-8 form', bytesWithin(0xc0, 0x80), undefined],
  ['a truncated UTF-8 character', bytesWithin(0xe2, 0x82), undefined],
  ['a surrogate in UTF-8', bytesWithin(0xed, 0xa0, 0x80), undefined],
  ['a byte order mark', Uint8Array.from([0xef, 0xbb, 0xbf, ...frameOf(validPrice)]), undefined],
  ...['__proto__', 'constructor'].flatMap(
    (name) =>
      [
        [
          `the key ${name} at the top`,
          text(`{"${name}":{"polluted":1},${JSON.stringify(validPrice).slice(1)}`),
          name,
        ],
        [
          `the key ${name} in data`,
          text(JSON.stringify(validPrice).replace('"symbol"', `"${name}":{"polluted":1},"symbol"`)),
          `data.${name}`,
        ],
        [
          `the key ${name} deep inside`,
          withJson(`{"a":{"b":{"${name}":{"polluted":1}}}}`),
          `data.x.a.b.${name}`,
        ],
        [`the key ${name} within an array`, withJson(`[0,{"${name}":{"polluted":1}}]`), `data.x[1].${name}`],
      ] as const,
  ),
  ['NaN', withJson('NaN'), undefined],
  ['Infinity', withJson('Infinity'), undefined],
  ['-Infinity', withJson('-Infinity'), undefined],
  ['1e999', withJson('1e999'), 'data.x'],
  ['-1e999', withJson('[-1e999]'), 'data.x[0]'],
  [
    '1e999 as the price',
    text(JSON.stringify(validPrice).replace('"price":1', '"price":1e999')),
    'data.price',
  ],
  [
    '1e999 as the timestamp',
    text(JSON.stringify(validPrice).replace(/"timestamp":1,"sender"/, '"timestamp":1e999,"sender"')),
    'timestamp',
  ],
];

describeOnServers((server) => {
  describe('incoming messages', () => {
    let logger: RecordingLogger;
    let invalid: EventRecorder<InvalidMessage>;
    let received: EventRecorder<string>;
    let subscriber: RedisSubscriber;
    let sent = 0;

    async function listen(): Promise<void> {
      logger = new RecordingLogger();
      invalid = new EventRecorder<InvalidMessage>();
      received = new EventRecorder<string>();
      subscriber = new RedisSubscriber({ ...server().options, logger });
      subscriber.on('invalid_message', invalid.add);
      subscriber.subscribe(PRICE_DATA, ({ data }) => received.add(data.symbol));
      await subscriber.startListening();
    }
    beforeAll(listen);
    afterAll(() => subscriber.close());

    /**
     * Publishes the frame, then a valid message. Returns the reports on the frame once the valid message has arrived.
     */
    async function reportsOn(frame: Uint8Array): Promise<InvalidMessage[]> {
      const before = invalid.items.length;
      const symbol = `S${++sent}`;
      await server().send(PRICE_DATA, frame);
      await server().send(PRICE_DATA, withData({ symbol }));
      await received.first((report) => report === symbol);
      return invalid.items.slice(before);
    }

    it.each(INBOUND)(
      'subscriber reports %s as TICKBUS_INVALID_MESSAGE and delivers the next message',
      async (_name, frame, field) => {
        const count = subscriber.status(PRICE_DATA)?.invalid ?? 0;
        const delivered = received.items.length;
        const [report, ...further] = await reportsOn(frame);
        expect(further).toEqual([]);
        expect(report).toMatchObject({ channel: 'PRICE_DATA', error: { code: 'TICKBUS_INVALID_MESSAGE' } });
        expect(report?.error).toBeInstanceOf(TickbusError);
        if (field instanceof RegExp) expect(report?.error.field).toMatch(field);
        else expect(report?.error.field).toBe(field);
        expect(report?.error.field?.length ?? 0).toBeLessThan(300);
        expect(report?.error.message).toMatch(/^The (message|field) .*\.$/);
        expect(report?.preview.length).toBeLessThan(1_500);
        expect(`${report?.preview}${report?.error.message}`).not.toMatch(/\p{Cc}/u);
        expect(subscriber.status(PRICE_DATA)?.invalid).toBe(count + 1);
        expect(received.items).toHaveLength(delivered + 1);
        expect(Object.prototype).not.toHaveProperty('polluted');
      },
    );

    it('terminal escapes are escaped in the event and in the log', async () => {
      // The first subscriber has reached the limit of its log, so a new one is needed.
      await subscriber.close();
      await listen();
      const attacks = [
        text('\u001b[2J\u001b]0;owned\u0007 no JSON\r\n\u202egnp.exe'),
        changed({ message_type: '\u001b[31mred\u0000' }),
        changed({ message_type: 'pr\u200bi\u2066ce' }),
        text(JSON.stringify(validPrice).replace('"symbol":"AAPL"', '"\\u001b[2J":1e999')),
        withJson('{"\\u009b2J\\u2028":{"constructor":1}}'),
        bytesWithin(0x1b, 0x5b, 0x32, 0x4a),
      ];
      for (const frame of attacks) {
        const lines = logger.lines.length;
        const [report] = await reportsOn(frame);
        const line = logger.lines.slice(lines).find(({ level }) => level === 'warn');
        expect(line).toMatchObject({
          fields: { channel: 'PRICE_DATA', reason: report?.error.message, preview: report?.preview },
        });
        const shown = [
          line?.message,
          ...Object.values(line?.fields ?? {}),
          report?.error.field,
          report?.error.message,
        ];
        expect(shown.join(' ')).toContain('\\u');
        expect(shown.join(' ')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
    });
  });
});
