// One side of asks in a separate process: the bot, which counts what it obeys, or the desk, which asks it.

import { type AskedBot, startAskedBot, TRADE } from '@tickbus/fault-kit/asked-bot';
import { RedisPublisher } from 'tickbus';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface AskSettings {
  readonly url: string;
  readonly role: 'bot' | 'desk';
}

export interface AskResults extends Readonly<Record<string, unknown>> {
  /** What each ask ended with, by id: its outcome, or the code of its error. */
  readonly ends: readonly (readonly [id: string, end: string])[];
}

export interface Obeyed extends Readonly<Record<string, unknown>> {
  /** How often the bot obeyed each command, by id. */
  readonly counts: readonly (readonly [id: string, count: number])[];
}

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const { url, role } = workerSettings<AskSettings>();
const end = role === 'bot' ? await startBot() : startDesk();
onRequest('end', async () => {
  await end();
  process.exit();
});
await sendToParent('ready');

async function startBot(): Promise<AskedBot['close']> {
  const obeyed = new Map<string, number>();
  const bot = await startAskedBot(TRADE, { url, logger, obeyed });
  onRequest('obeyed', () => sendToParent('obeyed', { counts: [...obeyed] }));
  return bot.close;
}

function startDesk(): AskedBot['close'] {
  const desk = new RedisPublisher({ url, sender: 'desk', logger });
  let next = 0;
  const askOnce = async (timeoutMs: number) => {
    // An id that another desk has used has no effect again.
    const id = `ask-${process.pid}-${next++}`;
    const ended = await TRADE.ask(desk, { id, timeoutMs }).then(
      ({ outcome }) => outcome,
      (error: unknown) => String((error as { code?: unknown }).code ?? error),
    );
    return [id, ended] as const;
  };
  onRequest('ask', async ({ count, timeoutMs }) => {
    const asks = Array.from({ length: Number(count) }, () => askOnce(Number(timeoutMs)));
    await sendToParent('ends', { ends: await Promise.all(asks) } satisfies Omit<AskResults, 'type'>);
  });
  return () => desk.close();
}
