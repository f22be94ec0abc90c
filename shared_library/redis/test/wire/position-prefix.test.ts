import { describe, expect, it } from 'vitest';
import { LUA_POSITION_PATTERN, positioned, positionedAll } from '../../wire/position-prefix.ts';

describe('positioned', () => {
  it('adds position and time before the fields of the envelope', () => {
    const text = positioned(
      '{"message_type":"x","data":{}}',
      { epoch: 1_795_403_663_792, seq: 4_711 },
      1_795_403_700_123,
    );
    expect(JSON.parse(text)).toEqual({
      seq: 4_711,
      epoch: 1_795_403_663_792,
      at: 1_795_403_700_123,
      message_type: 'x',
      data: {},
    });
    expect(Object.keys(JSON.parse(text)).slice(0, 3)).toEqual(['seq', 'epoch', 'at']);
  });

  it('equals positionedAll for each message of a batch', () => {
    const batch = ['{"a":1}', '{"b":2}'].map((json) => ({ json }));
    expect(positionedAll(batch, { epoch: 7, seq: 9 }, 5)).toEqual(
      batch.map(({ json }, index) => positioned(json, { epoch: 7, seq: 9 + index }, 5)),
    );
  });

  it('matches the pattern with which the server reads positions', () => {
    const pattern = new RegExp(LUA_POSITION_PATTERN.replaceAll('%d', '\\d'));
    const text = positioned('{"a":1}', { epoch: 2 ** 52, seq: 2 ** 52 }, 3);
    expect(pattern.exec(text)?.slice(1)).toEqual(['4503599627370496', '4503599627370496']);
  });
});
