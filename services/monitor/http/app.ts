// The routes of the monitor.

import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { DashboardState } from '../model/dashboard-state.ts';
import type { Caller, CommandEndpoint } from './command-endpoint.ts';
import { guard } from './guard.ts';
import type { PageFile } from './page-files.ts';
import { MAX_BODY_BYTES } from './server-limits.ts';
import type { Streams } from './streams.ts';

export interface AppOptions {
  readonly allowedHosts: readonly string[];
  readonly files: ReadonlyMap<string, PageFile>;
  readonly state: DashboardState;
  readonly streams: Streams;
  readonly commands: CommandEndpoint;
}

const COMMANDS_PATH = '/api/commands';

type App = Hono<{ Bindings: HttpBindings }>;

export function createApp({ allowedHosts, files, state, streams, commands }: AppOptions): App {
  const app: App = new Hono();
  app.use(
    guard(allowedHosts, async (context, reason) => {
      const { method, path } = context.req;
      if (method === 'POST' && path === COMMANDS_PATH)
        await commands.recordRejected(callerOf(context).address, reason);
    }),
  );

  app.get('/api/stream', (context) => streams.dashboard(context));

  app.get('/api/tail', (context) => {
    const { channel, type, sender, key, text } = context.req.query();
    return streams.tail(context, {
      ...(channel && { channel }),
      ...(type && { type }),
      ...(sender && { sender }),
      ...(key && { key }),
      ...(text && { text }),
    });
  });

  app.get('/api/instruments/:symbol', (context) => {
    const instrument = state.instrument(context.req.param('symbol'));
    if (instrument === undefined)
      return context.json({ message: 'Unknown instrument: no message about it has been received.' }, 404);
    context.header('Cache-Control', 'no-store');
    return context.json(instrument);
  });

  app.post(
    COMMANDS_PATH,
    async (context, next) => {
      // The token comes first: the body of an unauthorized request is not read.
      const rejection = await commands.authorize(callerOf(context));
      return rejection === undefined ? next() : context.json(rejection.body, rejection.status);
    },
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: async (context) => {
        const { status, body } = await commands.rejectLarge(callerOf(context));
        return context.json(body, status);
      },
    }),
    async (context) => {
      // CSRF protection: a form on another site needs a CORS preflight for this type, and the preflight is rejected.
      const isJson = context.req.header('content-type')?.startsWith('application/json');
      const body: unknown = isJson ? await context.req.json().catch(() => undefined) : undefined;
      const { status, body: response } = await commands.send(body, callerOf(context));
      return context.json(response, status);
    },
  );

  app.get('/healthz', (context) => context.text('ok\n'));

  app.get('*', (context) => {
    const file = files.get(context.req.path);
    if (file === undefined) return context.text('Not found.\n', 404);
    context.header('Content-Type', file.type);
    context.header('Cache-Control', file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    return context.body(file.content);
  });
  return app;
}

function callerOf(context: Context): Caller {
  return {
    address: getConnInfo(context).remote.address ?? 'unknown',
    authorization: context.req.header('authorization'),
  };
}
