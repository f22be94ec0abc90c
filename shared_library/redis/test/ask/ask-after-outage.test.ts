// Asks right after an outage: a living bot whose link is back later than that of the desk is not absent.

import { silentLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { type Bot, defineBot } from '../../bot.ts';
import { CHANNELS, priceChannel } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import type { RedisPublisher } from '../../publisher.ts';
import { type World, worlds } from '../presence/presence.fixture.ts';

const newWorld = worlds();
const OUTAGE_MS = 10_000;
/** After this time, who is not back is gone. */
const RETURN_MS = 1_200;

/** A bot and a desk that has asked it, and another program that remains. */
async function asked() {
  const world = newWorld();
  await world.program('witness');
  const [ofBot, ofDesk] = [world.connection(), world.connection()];
  const bot = defineBot({ name: 'momentum', connection: ofBot, clock: world.clock, logger: silentLogger });
  world.atEnd(() => bot.stop());
  await bot.start();
  const desk = world.publisher(ofDesk);
  expect(await outcomeOf(world, desk, bot)).toBe('done');
  return { world, bot, desk, ofBot, ofDesk };
}

async function outcomeOf(world: World, desk: RedisPublisher, bot: Bot, during = async () => {}) {
  let outcome = '';
  const asked = desk.ask(bot.commands, { bot: 'momentum' }, { type: 'pause', timeoutMs: 5_000 }).then(
    (answer) => {
      outcome = answer.outcome;
    },
    (error: unknown) => {
      const { code, message } = error as TickbusError;
      outcome = `${code}: ${message}`;
    },
  );
  await during();
  for (let passed = 0; outcome === '' && passed <= 5_000; passed += 10) await world.clock.advance(10);
  await asked;
  return outcome;
}

it.each(['keeps', 'loses'])('a server that %s its memory: the bot is back later, and obeys', async (what) => {
  const { world, bot, desk, ofBot, ofDesk } = await asked();
  for (const connection of [ofBot, ofDesk]) connection.disconnect();
  await world.clock.advance(OUTAGE_MS);
  if (what === 'loses') world.server.flush();
  ofDesk.reconnect();
  const later = async () => {
    await world.clock.advance(RETURN_MS / 2);
    ofBot.reconnect();
  };
  expect(await outcomeOf(world, desk, bot, later)).toBe('done');
});

it('a bot that is not back in time is absent', async () => {
  const { world, bot, desk, ofBot, ofDesk } = await asked();
  for (const connection of [ofBot, ofDesk]) connection.disconnect();
  await world.clock.advance(OUTAGE_MS);
  ofDesk.reconnect();
  const before = world.clock.now();
  expect(await outcomeOf(world, desk, bot)).toMatch(/ABSENT: momentum is gone: .* pause was not sent/);
  expect(world.clock.now() - before).toBeLessThanOrEqual(RETURN_MS + 200);
});

it('a bot whose link was cut a moment ago is there, and did not receive the command', async () => {
  const { world, bot, desk, ofBot } = await asked();
  ofBot.disconnect();
  expect(await outcomeOf(world, desk, bot)).toMatch(
    /NOT_SENT: momentum is there, .* did not receive pause.* Ask again/,
  );
  ofBot.reconnect();
  expect(await outcomeOf(world, desk, bot)).toBe('done');
});

it('nobody receives it while PRESENCE cannot be read, as in a failover of a cluster: unknown, not absent', async () => {
  const { world, bot, desk, ofBot, ofDesk } = await asked();
  ofBot.disconnect();
  const demand = ofDesk.publishing.demand.bind(ofDesk.publishing);
  const wanted = async () => {
    throw new TickbusError('TICKBUS_NOT_CONNECTED', 'The node of PRESENCE has failed.');
  };
  ofDesk.publishing.demand = (channel) => ({ ...demand(channel), wanted });
  // Records that were read before show for 400 ms who is there.
  await world.clock.advance(500);
  expect(await outcomeOf(world, desk, bot)).toMatch(
    /NOT_SENT: Nobody received pause, and PRESENCE cannot be read.* Ask again/,
  );
});

it('a program of that name that does not listen to the channel does not hide that nobody does', async () => {
  const world = newWorld();
  const { connection } = await world.program('momentum');
  const asked = world
    .publisher(connection)
    .ask(CHANNELS.TRADE_COMMANDS, { bot: 'momentum' }, { type: 'pause', timeoutMs: 5_000 });
  await expect(asked).rejects.toMatchObject({ code: 'TICKBUS_ABSENT' });
});

it('a cut link of a program with more channels than its record lists', async () => {
  const world = newWorld();
  await world.program('witness');
  const { connection, subscriber } = await world.program('momentum');
  for (let i = 0; i < 60; i++) subscriber.subscribe(priceChannel(`venue-with-a-long-name-${i}`), () => {});
  subscriber.subscribe(CHANNELS.TRADE_COMMANDS, () => {});
  await world.clock.advance(1_000);
  connection.disconnect();
  const desk = world.publisher(world.connection());
  const asked = desk.ask(CHANNELS.TRADE_COMMANDS, { bot: 'momentum' }, { type: 'pause', timeoutMs: 5_000 });
  await expect(asked).rejects.toMatchObject({ code: 'TICKBUS_NOT_SENT' });
});
