// A bot that reports its status once a minute. Arguments: URL, name, namespace. It prints `ready`.

import { silentLogger } from '@tickbus/test-kit';
import { defineBot } from 'tickbus/bot';

const [, , url = '', name = '', namespace] = process.argv;

const bot = defineBot({ name, url, namespace, statusIntervalMs: 60_000, logger: silentLogger });
await bot.start();
process.stdout.write('ready\n');
await bot.run();
