// Serves /healthz, /readyz and /metrics for Docker, Kubernetes and Prometheus.

import { once } from 'node:events';
import { Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from 'prom-client';

/** The content of /readyz; its status is 200 if `ready`, else 503. */
export interface Readiness {
  readonly ready: boolean;
}

export interface StatusPagesOptions {
  readonly host: string;
  /** Host names that requests may use, besides IP addresses, localhost and `host`. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** 0 for a free port, which the result contains. */
  readonly port: number;
  /** Milliseconds without a byte in either direction after which a connection is closed. Default 30,000. */
  readonly idleMs?: number;
  readonly metrics: Registry;
  readonly readiness: () => Readiness;
}

export interface StatusPages {
  readonly port: number;
  close(): Promise<void>;
}

/** A client must send its request within this time. */
const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
const SERVER_OPTIONS = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS } as const;
/** Further connections are closed at once. */
const MAX_CONNECTIONS = 100;
/** Host names are checked, because a page of another site could read the metrics otherwise (DNS rebinding). */
const UNKNOWN_HOST =
  'Unknown host name, request rejected. Use an IP address, or add the name to HTTP_ALLOWED_HOSTS.\n';

/**
 * Starts the server; resolves when it listens.
 *
 * @throws Error if the server cannot listen on the address; the message says what to set
 */
export async function startStatusPages({
  host,
  allowedHosts = [],
  port,
  idleMs = IDLE_MS,
  metrics,
  readiness,
}: StatusPagesOptions): Promise<StatusPages> {
  const app = routes([host, ...allowedHosts], metrics, readiness);
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: SERVER_OPTIONS,
    // Otherwise a program that imports the streams of the monitor later gets another Response, which breaks them.
    overrideGlobalObjects: false,
  });
  if (server instanceof Server) {
    server.maxConnections = MAX_CONNECTIONS;
    // A client that does not read its responses would keep its connection for ever.
    server.timeout = idleMs;
  }
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      'Set HTTP_HOST and HTTP_PORT to a free address of this machine, or HTTP_PORT=0 to disable these pages.';
    throw new Error(`Cannot serve /healthz and /metrics on ${host}:${port}: ${reason}. ${advice}`, {
      cause: error,
    });
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function routes(allowedHosts: readonly string[], metrics: Registry, readiness: () => Readiness): Hono {
  const app = new Hono();
  const names = new Set(['localhost', ...allowedHosts.map((name) => name.toLowerCase())]);
  app.use((context, next) => {
    const host = (context.req.header('host') ?? '').toLowerCase().replace(/:\d+$/, '');
    if (names.has(host) || isIP(host.replace(/^\[|\]$/g, '')) !== 0) return next();
    return Promise.resolve(context.text(UNKNOWN_HOST, 403));
  });
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', (context) => {
    const state = readiness();
    return context.json(state, state.ready ? 200 : 503);
  });
  app.get('/metrics', async (context) =>
    context.text(await metrics.metrics(), 200, { 'content-type': metrics.contentType }),
  );
  return app;
}
