// Asks a bot that does not answer. Arguments: URL, name of the bot. It prints `published`, then the code of its error.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { AskError, RedisPublisher } from 'tickbus/publisher';

const [, , url = '', bot = ''] = process.argv;

const desk = new RedisPublisher({ url, logger: silentLogger });
const print = (line: string) => process.stdout.write(`${line}\n`);
const onPublished = () => print('published');
await desk.ask(CHANNELS.TRADE_COMMANDS, { bot }, { type: 'pause', timeoutMs: 60_000, onPublished }).then(
  ({ outcome }) => print(outcome),
  (error: unknown) => print(error instanceof AskError ? error.code : String(error)),
);
await desk.close();
