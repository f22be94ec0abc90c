// Connects with the given credentials, and prints everything that the library reports in several forms. The scenario
// searches the output for secrets.

import { inspect } from 'node:util';
import { RedisPublisher, RedisSubscriber } from 'tickbus';
import { FILLS } from '../fault-channels.ts';
import { sendToParent, workerSettings } from './parent-channel.ts';

export interface CredentialsSettings {
  readonly url: string;
}

const { url } = workerSettings<CredentialsSettings>();

/** Prints a value with console.log, as JSON, and with hidden properties. */
function print(value: unknown): void {
  console.log(value);
  console.log(JSON.stringify(value));
  console.log(inspect(value, { depth: 12, showHidden: true, getters: true }));
  if (value instanceof Error) console.log(value.stack, inspect(value.cause, { depth: 12, showHidden: true }));
}

const level = (name: string) => (fields: object, message: string) => {
  print(fields);
  console.error(name, message);
};
const printingLogger = {
  debug: level('debug'),
  info: level('info'),
  warn: level('warn'),
  error: level('error'),
};
const subscriber = new RedisSubscriber({ url, logger: printingLogger });
// The publisher uses the default logger of the library.
const publisher = new RedisPublisher({ url });
print(subscriber);
print(publisher);
subscriber.on('status', async (status) => {
  print(status);
  if (status.type === 'failed') await sendToParent('failed', { code: status.error.code });
});
subscriber.subscribe(FILLS, (message) => print(message));
try {
  await subscriber.startListening();
  await sendToParent('ready');
} catch (error) {
  print(error);
  await sendToParent('refused', { code: (error as { code?: string }).code });
}
await publisher.publish(FILLS, { key: 'A', n: 0 }).then(
  () => sendToParent('published'),
  (error: unknown) => {
    print(error);
    return sendToParent('not_published', { code: (error as { code?: string }).code });
  },
);
