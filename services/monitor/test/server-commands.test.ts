// Sending commands through the monitor: token, schema, audit.

import { silentLogger } from '@tickbus/test-kit';
import type { Audit, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMonitor } from '../monitor-service.ts';
import { eventually } from './monitor.fixture.ts';
import { AuditListener, MonitorServer, postCommand, TOKEN } from './monitor-server.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open(true);
});
afterAll(() => server.close());

describe('POST /api/commands', () => {
  const pause = { type: 'pause', data: { bot: 'momentum', reason: 'test' } };

  it('sends a command with the token, and audits it', async () => {
    const subscriber = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
    const commands: MessageOf<typeof CHANNELS.TRADE_COMMANDS>[] = [];
    const audits: Audit[] = [];
    subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (message) => commands.push(message));
    subscriber.subscribe(CHANNELS.AUDIT, ({ data }) => audits.push(data));
    await subscriber.startListening();
    const { status, body } = await send(pause, TOKEN);
    expect([status, JSON.parse(body).message]).toEqual([200, 'momentum: done. momentum is paused.']);
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

  it('replies with what the bot answers, and audits each as sent', async () => {
    const audits = await listenToAudit();
    const order = { bot: 'momentum', symbol: 'AAPL', side: 'buy', quantity: 1 };
    await send({ type: 'resume', data: { bot: 'momentum' } }, TOKEN);
    const failed = await send({ type: 'place_order', data: order }, TOKEN);
    expect([failed.status, JSON.parse(failed.body).message]).toEqual([
      409,
      'momentum tried place_order without success. No broker.',
    ]);
    await send(pause, TOKEN);
    const rejected = await send({ type: 'place_order', data: order }, TOKEN);
    expect([rejected.status, JSON.parse(rejected.body)]).toEqual([
      409,
      {
        message: 'momentum rejected place_order and did nothing. momentum is paused.',
        id: expect.any(String),
      },
    ]);
    await eventually(() => expect(audits.data).toHaveLength(4));
    expect(audits.data.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent', 'sent']);
    await audits.close();
  });

  it('says that nobody of a name is there, and audits that nothing was sent', async () => {
    const audits = await listenToAudit();
    const { status, body } = await send({ type: 'pause', data: { bot: 'misspelt' } }, TOKEN);
    expect([status, JSON.parse(body)]).toEqual([
      404,
      {
        message: expect.stringMatching(
          /^Nobody named misspelt listens to TRADE_COMMANDS: pause was not sent\./,
        ),
      },
    ]);
    await eventually(() => expect(audits.data).toMatchObject([{ bot: 'misspelt', outcome: 'failed' }]));
    await audits.close();
  });

  it('says that a bot without a name has not answered, and audits the command as sent', async () => {
    const unnamed = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
    unnamed.subscribe(CHANNELS.TRADE_COMMANDS, () => {});
    await unnamed.startListening();
    const limits = { answerMs: 2_000 };
    const options = { url: server.redis.url, port: 0, token: TOKEN, limits, logger: silentLogger };
    const other = await startMonitor(options);
    const audits = await listenToAudit();
    const { status, body } = await send({ type: 'pause', data: { bot: 'misspelt' } }, TOKEN, other.url);
    expect([status, JSON.parse(body).message]).toEqual([
      504,
      expect.stringMatching(/^misspelt has not answered within 2000 ms: .* It does not start later/),
    ]);
    await eventually(() => expect(audits.data).toMatchObject([{ bot: 'misspelt', outcome: 'sent' }]));
    await unnamed.close();
    await audits.close();
    await other.close();
  });

  it('rejects a wrong or missing token, and does not disclose the right one', async () => {
    for (const token of [undefined, '', 'wrong', `${TOKEN}x`]) {
      const { status, body } = await send(pause, token);
      expect(status).toBe(401);
      expect(body).not.toContain(TOKEN);
    }
  });

  it('rejects an invalid command, and audits it', async () => {
    const audits = await listenToAudit();
    const wrong = await send(
      { type: 'place_order', data: { bot: 'momentum', symbol: 'AAPL', side: 'up' } },
      TOKEN,
    );
    expect(wrong.status).toBe(400);
    expect(JSON.parse(wrong.body).message).toMatch(/side|quantity/);
    const invalid = [{ type: 'constructor', data: {} }, { type: 'pause' }, 'pause', null];
    for (const body of invalid) expect((await send(body, TOKEN)).status).toBe(400);
    await eventually(() => expect(audits.data).toHaveLength(1 + invalid.length));
    for (const entry of audits.data)
      expect(entry).toMatchObject({ action: 'send_command', outcome: 'failed', detail: expect.any(String) });
    await audits.close();
  });

  it('accepts the right token after any number of wrong ones from the same address', async () => {
    const other = await startMonitor({ url: server.redis.url, port: 0, token: TOKEN, logger: silentLogger });
    const attempt = (token: string) => send(pause, token, other.url);
    for (let count = 0; count < 10; count++) expect((await attempt('wrong')).status).toBe(401);
    for (let count = 0; count < 10; count++) expect((await attempt('wrong')).status).toBe(429);
    expect((await attempt(TOKEN)).status).toBe(200);
    await other.close();
  });

  it('is disabled without MONITOR_TOKEN', async () => {
    const other = await startMonitor({ url: server.redis.url, port: 0, logger: silentLogger });
    const { status, body } = await send(pause, TOKEN, other.url);
    expect(status).toBe(403);
    expect(body).toContain('MONITOR_TOKEN');
    await other.close();
  });
});

async function listenToAudit() {
  return AuditListener.open(server.redis.url);
}

function send(body: unknown, token: string | undefined, url = server.monitor.url) {
  return postCommand(url, body, token);
}
