// What may be sent through the monitor: with the token, by the schema, and always told on AUDIT.

import { silentLogger } from '@tickbus/test-kit';
import type { Audit, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMonitor } from '../monitor.ts';
import { eventually } from './monitor.fixture.ts';
import { MonitorServer, TOKEN } from './monitor-server.fixture.ts';

let world: MonitorServer;
beforeAll(async () => {
  world = await MonitorServer.open();
});
afterAll(() => world.close());

describe('sends a command', () => {
  const pause = { type: 'pause', data: { bot: 'momentum', reason: 'test' } };

  it('with the token, and tells it on AUDIT', async () => {
    const subscriber = new RedisSubscriber({ url: world.redis.url, logger: silentLogger });
    const commands: MessageOf<typeof CHANNELS.TRADE_COMMANDS>[] = [];
    const audits: Audit[] = [];
    subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (message) => commands.push(message));
    subscriber.subscribe(CHANNELS.AUDIT, ({ data }) => audits.push(data));
    await subscriber.startListening();
    const { status, body } = await send(pause, TOKEN);
    expect([status, JSON.parse(body).message]).toEqual([200, 'Sent to 2 subscribers.']);
    await eventually(() => expect(audits).toHaveLength(1));
    expect(commands[0]).toMatchObject({ message_type: 'pause', sender: 'monitor', data: pause.data });
    expect(audits[0]).toMatchObject({
      tool: 'monitor',
      actor: 'monitor 127.0.0.1',
      action: 'send_command',
      message_type: 'pause',
      bot: 'momentum',
      outcome: 'sent',
    });
    await subscriber.close();
  });

  it('not with another token or none, tells that on AUDIT, and says nothing of the right one', async () => {
    const audits = await listenToAudit();
    for (const token of [undefined, '', 'wrong', `${TOKEN}x`]) {
      const { status, body } = await send(pause, token);
      expect(status).toBe(401);
      expect(body).not.toContain(TOKEN);
    }
    await eventually(() => expect(audits.data).toHaveLength(4));
    for (const entry of audits.data) {
      expect(entry).toMatchObject({ actor: 'monitor 127.0.0.1', action: 'refused', outcome: 'refused' });
      expect(JSON.stringify(entry)).not.toContain(TOKEN);
    }
    await audits.close();
  });

  it('not one that its schema refuses, or that is none, and tells that on AUDIT too', async () => {
    const audits = await listenToAudit();
    const wrong = await send(
      { type: 'place_order', data: { bot: 'momentum', symbol: 'AAPL', side: 'up' } },
      TOKEN,
    );
    expect(wrong.status).toBe(400);
    expect(JSON.parse(wrong.body).message).toMatch(/side|quantity/);
    const none = [{ type: 'constructor', data: {} }, { type: 'pause' }, 'pause', null];
    for (const body of none) expect((await send(body, TOKEN)).status).toBe(400);
    await eventually(() => expect(audits.data).toHaveLength(1 + none.length));
    for (const entry of audits.data)
      expect(entry).toMatchObject({ action: 'send_command', outcome: 'failed', detail: expect.any(String) });
    await audits.close();
  });

  it('not at all after too many wrong tokens', async () => {
    const other = await startMonitor({ url: world.redis.url, port: 0, token: TOKEN, logger: silentLogger });
    const attempt = (token: string) => send(pause, token, other.url);
    for (let count = 0; count < 10; count++) expect((await attempt('wrong')).status).toBe(401);
    expect((await attempt(TOKEN)).status).toBe(429);
    await other.close();
  });

  it('not without a token in its settings', async () => {
    const other = await startMonitor({ url: world.redis.url, port: 0, logger: silentLogger });
    const { status, body } = await send(pause, TOKEN, other.url);
    expect(status).toBe(403);
    expect(body).toContain('MONITOR_TOKEN');
    await other.close();
  });
});

/** What comes on AUDIT from now on. */
async function listenToAudit() {
  const subscriber = new RedisSubscriber({ url: world.redis.url, logger: silentLogger });
  const data: Audit[] = [];
  subscriber.subscribe(CHANNELS.AUDIT, (message) => data.push(message.data));
  await subscriber.startListening();
  return { data, close: () => subscriber.close() };
}

async function send(body: unknown, token: string | undefined, url = world.monitor.url) {
  const response = await fetch(`${url}/api/commands`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.text() };
}
