// Serves /healthz, /readyz and /metrics for Docker, Kubernetes and Prometheus.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import type { Readiness } from '../gateway.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0 for a free port, which the result contains. */
  readonly port: number;
  readonly metrics: Registry;
  readonly readiness: () => Readiness;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts the server; resolves when it listens.
 *
 * @throws Error if the server cannot listen on the address; the message says what to set
 */
export async function startHttp({ host, port, metrics, readiness }: HttpOptions): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch: routes(metrics, readiness).fetch });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      'Set HTTP_HOST and HTTP_PORT to a free address of this machine, or HTTP_PORT=0 to disable them.';
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

function routes(metrics: Registry, readiness: () => Readiness): Hono {
  const app = new Hono();
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
