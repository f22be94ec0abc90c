// Structure-aware mutation: random edits of a JSON document of the corpus, then of its bytes. fast-check generates the
// edits, so it can shrink a failing input.

import fc from 'fast-check';

/** Number texts, valid or not, that JSON.stringify never writes. `textOf` inserts them unchanged. */
const RAW = [
  '1e400',
  '-0',
  '00',
  '-',
  '1.',
  '.5',
  '1e-400',
  '9007199254740993',
  '1'.repeat(400),
  '0.1e1',
  'NaN',
];
/** Begins a placeholder for the text in RAW whose index follows. */
const MARK = '\u0001raw';

const oddText = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom(
    '',
    '__proto__',
    'constructor',
    'seq',
    'epoch',
    'data',
    '\u202eABC',
    '\u001b[2J',
    '\u0000',
    '\n',
    '\ud800',
  ),
  fc.nat(3_000).map((length) => 'x'.repeat(length)),
);
const oddValue = fc.oneof(
  oddText,
  fc.constantFrom(0, 1, -1, 2 ** 53, -(2 ** 31), 1e21, 5e-324, 1.5, true, false, null),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom({}, [], [[]], [null], { a: { b: {} } }),
  fc.nat(RAW.length - 1).map((index) => `${MARK}${index}`),
);

type Edit =
  | { readonly op: 'set'; readonly at: number; readonly value: unknown }
  | { readonly op: 'add'; readonly at: number; readonly name: string; readonly value: unknown }
  | { readonly op: 'remove' | 'repeat'; readonly at: number }
  | { readonly op: 'nest'; readonly at: number; readonly depth: number };

const at = fc.nat(1_000);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('set' as const), at, value: oddValue }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('add' as const), at, name: oddText, value: oddValue }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('remove' as const, 'repeat' as const), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('nest' as const),
      at,
      depth: fc.oneof({ weight: 9, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(20_000) }),
    }),
  },
);

interface ByteEdit {
  readonly op: 'change' | 'insert' | 'remove' | 'cut' | 'copy';
  readonly at: number;
  readonly byte: number;
  readonly length: number;
}

const SYNTAX = Buffer.from('0123456789.-+eE"\\{}[],: \n\u0001');
const byteEdit: fc.Arbitrary<ByteEdit> = fc.record({
  op: fc.constantFrom('change', 'insert', 'remove', 'cut', 'copy'),
  at: fc.nat(),
  byte: fc.oneof(fc.constantFrom(...SYNTAX), fc.nat(255)),
  length: fc.nat(64),
});

/** Rarely repeats a piece of the text, up to the size of the largest frame, to expose slow code. */
const amplified = fc.oneof(
  { weight: 60, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({
      bytes: fc.integer({ min: 1_000, max: 2 ** 20 }),
      at: fc.nat(),
      length: fc.integer({ min: 1, max: 200 }),
    }),
  },
);

/** Frames, each a mutated document. About half of them are valid JSON. */
export function mutated(documents: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .record({
      from: fc.nat(documents.length - 1),
      edits: fc.array(edit, { maxLength: 4 }),
      bytes: fc.oneof(
        { weight: 3, arbitrary: fc.constant<ByteEdit[]>([]) },
        { weight: 2, arbitrary: fc.array(byteEdit, { maxLength: 4 }) },
      ),
      amplify: amplified,
    })
    .map(({ from, edits, bytes, amplify }) => {
      const document = edits.reduce(applyEdit, JSON.parse(documents[from] ?? '{}') as unknown);
      const text = Buffer.from(textOf(document));
      const edited = bytes.reduce(applyByteEdit, text);
      if (amplify === undefined || edited.length === 0) return edited;
      const start = amplify.at % edited.length;
      const slice = edited.subarray(start, start + amplify.length);
      const copies = Buffer.alloc(amplify.bytes, slice);
      return Buffer.concat([edited.subarray(0, start), copies, edited.subarray(start)]);
    });
}

/** Random edits of one text, character by character. */
export function mutatedText(texts: readonly string[]): fc.Arbitrary<string> {
  const pieces = [
    '#',
    '@',
    '/',
    '?',
    ':',
    '[',
    ']',
    '%',
    '%00',
    '\\',
    ' ',
    '\n',
    ',',
    '//',
    '::',
    '65536',
    '-1',
    'ü',
    '\u202e',
  ];
  const change = fc.record({
    at: fc.nat(),
    remove: fc.nat(3),
    put: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })),
  });
  return fc
    .record({ from: fc.nat(texts.length - 1), changes: fc.array(change, { maxLength: 5 }) })
    .map(({ from, changes }) =>
      changes.reduce((text, { at: place, remove, put }) => {
        const start = place % (text.length + 1);
        return text.slice(0, start) + put + text.slice(start + remove);
      }, texts[from] ?? ''),
    );
}

interface Place {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

/** A recursive copy would itself fail on deep documents, so the edit changes the document in place. */
function applyEdit(document: unknown, change: Edit): unknown {
  const root: Record<string, unknown> = { document };
  const places = placesIn(root);
  const { parent, key } = places[change.at % places.length] as Place;
  const value = parent[key];
  if (change.op === 'set') parent[key] = change.value;
  else if (change.op === 'remove') delete parent[key];
  else if (change.op === 'repeat') parent[key] = [value, value];
  else if (change.op === 'nest') parent[key] = nested(value, change.depth);
  else if (change.op === 'add' && typeof value === 'object' && value !== null)
    define(value, change.name, change.value);
  return root.document ?? {};
}

/** The first places (properties and items) of a document, breadth first: about 1,000. */
function placesIn(root: Record<string, unknown>): readonly Place[] {
  const places: Place[] = [];
  const objects = [root];
  for (const parent of objects) {
    if (places.length > 1_000) break;
    for (const [key, value] of Object.entries(parent)) {
      places.push({ parent, key });
      if (typeof value === 'object' && value !== null) objects.push(value as Record<string, unknown>);
    }
  }
  return places;
}

function nested(value: unknown, depth: number): unknown {
  let result = value;
  for (let level = 0; level < depth; level++) result = level % 2 === 0 ? [result] : { a: result };
  return result;
}

/** Defines an own property of any name, even `__proto__`. The `length` of an array cannot be redefined. */
function define(object: object, name: string, value: unknown): void {
  if (Array.isArray(object) && name === 'length') return;
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** The JSON text of a document. Nested brackets replace a document that is too deep for JSON.stringify. */
function textOf(document: unknown): string {
  try {
    const text = JSON.stringify(document) ?? 'null';
    return text.replace(/"\\u0001raw(\d+)"/g, (_, index) => RAW[Number(index)] ?? '0');
  } catch {
    return '['.repeat(20_000) + ']'.repeat(20_000);
  }
}

function applyByteEdit(bytes: Buffer, { op, at: place, byte, length }: ByteEdit): Buffer {
  const start = place % (bytes.length + 1);
  const [head, tail] = [bytes.subarray(0, start), bytes.subarray(start)];
  switch (op) {
    case 'change':
      return Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]);
    case 'insert':
      return Buffer.concat([head, Buffer.of(byte), tail]);
    case 'remove':
      return Buffer.concat([head, tail.subarray(length)]);
    case 'cut':
      return head;
    case 'copy':
      return Buffer.concat([head, tail.subarray(0, length), tail]);
  }
}
