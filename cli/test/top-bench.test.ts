// `tickbus top` and `tickbus bench` against a real server.

import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { describe, expect, it } from 'vitest';
import { call, jsonLines, startInTerminal, tickbus, withoutColours, withServer } from './harness.ts';

const server = withServer();
const { env } = server;

describe('top', () => {
  it('counts messages, on channels that are not bundled too, as a process', async () => {
    const listener = createClient({ url: server.redis.url });
    await listener.connect();
    await listener.subscribe('others', () => {});
    const publisher = listener.duplicate();
    await publisher.connect();
    const noStatus = '{"message_type":"feed_status","data":{"feed":"f"},"timestamp":0,"sender":"me"}';
    const timer = setInterval(() => {
      publisher.publish('others', '{"some":"text"}').catch(() => {});
      publisher.publish('FEED_STATUS', noStatus).catch(() => {});
    }, 10);
    const { code, stdout, stderr } = await tickbus(['top', '--once', '--json', '-i', '500ms'], {
      env: env(),
    });
    clearInterval(timer);
    listener.destroy();
    publisher.destroy();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = jsonLines(stdout);
    expect(rows.map(({ channel }) => channel)).toEqual(
      expect.arrayContaining(['PRICE_DATA', 'AUDIT', 'others']),
    );
    const row = (name: string) => rows.find(({ channel }) => channel === name);
    expect(row('others')).toMatchObject({ subscribers: 1, gaps: 0, invalid: 0, age_ms: expect.any(Number) });
    expect(row('others')?.rate).toBeGreaterThan(0);
    expect(row('PRICE_DATA')).toMatchObject({ rate: 0, messages: 0, subscribers: 0, age_ms: null });
    expect(row('FEED_STATUS')?.invalid).toBeGreaterThan(0);
    expect(row('FEED_STATUS')?.invalid).toBe(row('FEED_STATUS')?.messages);
  });

  it('counts the messages of all partitions in one row of their channel', async () => {
    await using connection = new RedisConnection({ url: server.redis.url, logger: silentLogger });
    const { publishing } = connection;
    await publishing.connect();
    const channel = { name: 'SPLIT', kind: 'state', history: 0 } as const;
    const specs = [0, 1, 2, 3].map((index) => ({
      ...channel,
      name: partitionName('SPLIT', index, 4),
      layout: 4,
    }));
    for (const spec of [...specs, channel]) await publishing.setPartitions(spec, 4);
    const listener = createClient({ url: server.redis.url });
    await listener.connect();
    await listener.subscribe('SPLIT#2/4', () => {});
    const timer = setInterval(() => {
      for (const spec of specs) publishing.publish(spec, [{ key: 'a', json: '{"n":1}' }]).catch(() => {});
    }, 10);
    const { code, stdout } = await tickbus(['top', '--once', '--json', '-i', '500ms'], { env: env() });
    clearInterval(timer);
    listener.destroy();
    expect(code).toBe(0);
    const rows = jsonLines(stdout).filter(({ channel: name }) => String(name).startsWith('SPLIT'));
    expect(rows).toMatchObject([{ channel: 'SPLIT', subscribers: 1 }]);
    // Each of the four partitions adds to it.
    expect(Number(rows[0]?.messages)).toBeGreaterThanOrEqual(8);
  });

  it('refreshes a table on a terminal, until Ctrl-C', async () => {
    const top = startInTerminal(['top', '-i', '100ms', '--sort', 'rate'], { env: env() });
    await top.out(/CHANNEL +MSG\/S/);
    const timer = setInterval(
      () => call(['pub', 'BOT_STATUS', '{"bot":"b","state":"running"}', '-q'], { env: env() }),
      50,
    );
    // The busiest channel is in the first line.
    await top.out(/AGE[^\n]*\n[^A-Z\n]*BOT_STATUS/);
    clearInterval(timer);
    top.type('\x03');
    const { code, stdout } = await top.ended;
    expect(code).toBe(130);
    expect(withoutColours(stdout)).toMatch(
      /CHANNEL +MSG\/S +KIB\/S +SUBSCRIBERS +MESSAGES +GAPS +INVALID +AGE/,
    );
  });

  it.each([
    [['top', '--sort', 'luck'], 64, /Allowed choices are name, rate, subscribers, gaps, age/],
    [['top', '--interval', '0'], 64, /Use a time/],
    [['top', '--once', '--url', 'redis://127.0.0.1:1'], 1, /Cannot connect to Redis/],
  ])('fails for %j', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await call(args);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});

describe('bench', () => {
  const numbers = {
    clients: 2,
    messages: 500,
    size: 100,
    seconds: expect.any(Number),
    published_per_second: expect.any(Number),
    received_per_second: expect.any(Number),
    lost: 0,
    p50_ms: expect.any(Number),
    p95_ms: expect.any(Number),
    p99_ms: expect.any(Number),
    max_ms: expect.any(Number),
  };

  it('prints JSON, CSV or text, without a progress bar in a pipe, as a process', async () => {
    const flags = ['-n', '500', '-c', '2', '--size', '100'];
    const { code, stdout, stderr } = await tickbus(['bench', ...flags, '--json'], { env: env() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result).toEqual(numbers);
    expect(result.p50_ms).toBeGreaterThan(0);
    expect(
      result.p50_ms <= result.p95_ms && result.p95_ms <= result.p99_ms && result.p99_ms <= result.max_ms,
    ).toBe(true);
    const [head, values] = (await call(['bench', ...flags, '--csv'], { env: env() })).stdout.split('\n');
    expect(head).toBe(Object.keys(numbers).join(','));
    expect(values).toMatch(/^2,500,100,/);
    const people = await call(['bench', ...flags], { env: env() });
    expect(people.stdout).toMatch(
      /^published +[\d,]+ msg\/s {3}500 messages of 100 bytes in [\d.]+ s\nreceived/,
    );
    expect(people.stdout).toMatch(
      /by 2 subscribers together, 0 lost\nlatency +p50 [\d.]+ ms +p95 [\d.]+ ms +p99/,
    );
  });

  it('shows a progress bar on a terminal, erases it at the end, and hides it with --no-progress', async () => {
    const flags = ['bench', '-n', '200', '--rate', '400'];
    const { code, stdout } = await startInTerminal(flags, { env: env(), columns: 40 }).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/█+░+ \d+% {2}\d+ received/);
    // A wrapped bar could not be erased.
    const bars = stdout.match(/[█░]+ \d+% {2}\d+ received/g) ?? [];
    expect(Math.max(...bars.map((bar) => bar.length))).toBeLessThan(40);
    expect(stdout).toMatch(/\r[^\n]*published/);
    const silent = await call([...flags, '--no-progress'], { env: env(), terminal: true });
    expect(silent.stderr).toBe('');
  });

  it('respects --rate and --duration', async () => {
    const { stdout } = await call(['bench', '--rate', '200', '--duration', '500ms', '--json'], {
      env: env(),
    });
    const { messages, seconds } = JSON.parse(stdout);
    // One message at the start, then one every 5 ms. A busy machine can only be slower.
    expect(messages).toBeLessThanOrEqual(101);
    expect(seconds).toBeGreaterThanOrEqual(0.5);
    const slow = await call(['bench', '--rate', '0.5', '--duration', '100ms', '--json'], { env: env() });
    const { messages: one, received_per_second } = JSON.parse(slow.stdout);
    expect(one).toBe(1);
    expect(received_per_second).toBeLessThanOrEqual(10);
  });

  it.each([
    [['bench', '--json', '--csv'], 64, /Use --json or --csv, not both/],
    [['bench', '--size', '300000'], 64, /--size 300000 is too large\. Use at most 200000 bytes/],
    [['bench', '--clients', 'many'], 64, /Use a whole number/],
    [['bench', '--url', 'redis://127.0.0.1:1'], 1, /Cannot connect to Redis/],
  ])('fails for %j', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await call(args);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});
