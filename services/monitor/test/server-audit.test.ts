// AUDIT reports every refused command request exactly once, and a flood of requests does not push out other records.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { ManualClock } from 'tickbus/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Monitor, startMonitor } from '../monitor-service.ts';
import { eventually } from './monitor.fixture.ts';
import { AuditListener, MonitorServer, postCommand, TOKEN } from './monitor-server.fixture.ts';
import { RawHttpClient } from './raw-http.fixture.ts';

const pause = { type: 'pause', data: { bot: 'momentum' } };
const MINUTE_MS = 60_000;

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open(true);
});
afterAll(() => server.close());

let clock: ManualClock;
let monitor: Monitor;
let audits: AuditListener;
beforeEach(async () => {
  clock = new ManualClock();
  audits = await AuditListener.open(server.redis.url);
  const limits = { requestMs: 300 };
  const options = { url: server.redis.url, port: 0, token: TOKEN, clock, limits, logger: silentLogger };
  monitor = await startMonitor(options);
});
afterEach(async () => {
  await monitor.close();
  await audits.close();
});

describe('requests without the token', () => {
  it('are in AUDIT: the first at once, the others counted, and never the token', async () => {
    for (const token of [undefined, 'wrong', `${TOKEN}x`, 'wrong'])
      expect((await postCommand(monitor.url, pause, token)).status).toBe(401);
    await eventually(() => expect(audits.data).toHaveLength(1));
    expect(audits.data[0]).toMatchObject({
      actor: 'monitor 127.0.0.1',
      action: 'refused',
      outcome: 'refused',
    });
    await clock.advance(MINUTE_MS);
    await eventually(() => expect(audits.data).toHaveLength(2));
    expect(audits.data[1]).toMatchObject({ actor: 'monitor', action: 'refused', outcome: 'refused' });
    expect(audits.data[1]?.detail).toMatch(
      /^3 more requests within 60 s, from 127\.0\.0\.1 \(3\)\. 3 times: Wrong/,
    );
    expect(JSON.stringify(audits.data)).not.toContain(TOKEN);
  });

  it('include those of other sites and other host names', async () => {
    const foreign = { origin: 'https://evil.example' };
    for (let count = 0; count < 2; count++)
      expect((await postCommand(monitor.url, pause, TOKEN, foreign)).status).toBe(403);
    await monitor.close();
    await eventually(() => expect(audits.data).toHaveLength(2));
    expect(audits.data[0]?.detail).toMatch(/^Cross-site request/);
    expect(audits.data[1]?.detail).toMatch(/^1 more requests.* 1 times: Cross-site request/);
  });

  it('cannot erase the audit of commands: three hours of them leave a few records', async () => {
    expect((await postCommand(monitor.url, pause, TOKEN)).status).toBe(200);
    const MINUTES = 3 * 60;
    for (let minute = 0; minute < MINUTES; minute++) {
      await Promise.all([
        postCommand(monitor.url, pause, 'wrong'),
        postCommand(monitor.url, pause, undefined),
      ]);
      await clock.advance(MINUTE_MS);
    }
    await monitor.close();
    const refused = () => audits.data.filter(({ action }) => action === 'refused');
    const counted = () =>
      refused().reduce((sum, { detail }) => sum + Number(/^(\d+) more/.exec(detail ?? '')?.[1] ?? 1), 0);
    await eventually(() => expect(counted()).toBe(2 * MINUTES));
    expect(refused().length).toBeLessThan(15);
  }, 120_000);
});

describe('requests with the token', () => {
  it.each([
    ['a bot name that is too long', { type: 'pause', data: { bot: 'x'.repeat(300) } }, 400],
    ['a bot that is an object', '{"type":"pause","data":{"bot":{"toString":1}}}', 400],
    ['half of a surrogate pair', '{"type":"pause","data":{"bot":"\\ud800"}}', undefined],
    ['forbidden keys', '{"type":"pause","data":{"__proto__":{"bot":"a"},"constructor":1}}', 400],
    [
      'deep nesting',
      `{"type":"pause","data":{"bot":"a","reason":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`,
      400,
    ],
    ['an unknown type', { type: 'toString', data: {} }, 400],
    ['no JSON', '{', 400],
    ['a body above 64 KiB', { type: 'pause', data: { bot: 'a', reason: 'x'.repeat(70_000) } }, 413],
  ])('are audited once: %s', async (_, body, status) => {
    const response = await postCommand(monitor.url, body, TOKEN);
    if (status !== undefined) expect(response.status).toBe(status);
    // The record of this later command proves that the rejected one has no second record.
    await postCommand(monitor.url, pause, TOKEN);
    await eventually(() => expect(audits.data.at(-1)).toMatchObject({ bot: 'momentum', outcome: 'sent' }));
    expect(audits.data).toHaveLength(2);
    expect(audits.data[0]).toMatchObject({ actor: 'monitor 127.0.0.1', action: 'send_command' });
  });

  it('are audited once if the body does not arrive in time', async () => {
    const client = await RawHttpClient.open(monitor.url);
    client.request('POST', '/api/commands', [
      `Authorization: Bearer ${TOKEN}`,
      'Content-Type: application/json',
      'Content-Length: 1000',
    ]);
    client.socket.write('{"type":');
    await client.closed();
    await eventually(() => expect(audits.data).toHaveLength(1));
    expect(audits.data[0]).toMatchObject({ action: 'send_command', outcome: 'failed' });
    client.close();
  });
});

it('AUDIT keeps the record of a command through a flood of 3,000 refused requests', async () => {
  expect((await postCommand(monitor.url, pause, TOKEN)).status).toBe(200);
  const client = await RawHttpClient.open(monitor.url);
  for (let count = 1; count < 3_000; count++) client.request('POST', '/api/commands', ['Content-Length: 0']);
  client.request('POST', '/api/commands', ['Content-Length: 0', 'Connection: close']);
  await client.closed();
  await server.publisher.publish(CHANNELS.AUDIT, {
    actor: 'test',
    tool: 'test',
    action: 'publish',
    outcome: 'sent',
  });
  await eventually(() => expect(audits.data.at(-1)?.actor).toBe('test'));
  expect(audits.data.map(({ action }) => action)).toEqual(['send_command', 'refused', 'publish']);
}, 60_000);
