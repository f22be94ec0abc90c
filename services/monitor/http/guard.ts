// Who may ask: programs and pages of this machine that know what they ask. A page of another site may not, whatever name it
// makes this server's address out to be.

import type { HonoRequest, MiddlewareHandler } from 'hono';

/** Names of this machine by which a browser on it may reach us. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Nothing but our own files: no inline script or style, no other host, no frame around us. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * - A Host that is not ours means that a foreign name was made to lead here (DNS rebinding): 403.
 * - An Origin that is not ours, or a request that a browser says comes from another site: 403.
 *
 * @param allowedHosts more names by which we may be reached, without a port
 */
export function guard(allowedHosts: readonly string[]): MiddlewareHandler {
  const hosts = new Set([...LOOPBACK, ...allowedHosts.map(urlHost)]);
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    const refusal = rejectionOf(context.req, host, hosts);
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    if (refusal !== undefined) return context.text(`${refusal}\n`, 403);
    return next();
  };
}

function rejectionOf(request: HonoRequest, host: string, hosts: ReadonlySet<string>): string | undefined {
  if (!hosts.has(withoutPort(host)))
    return 'The monitor is not known by this name. Use http://127.0.0.1, or name the host in MONITOR_ALLOWED_HOSTS.';
  const origin = request.header('origin');
  const isForeign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  const site = request.header('sec-fetch-site');
  const isFromAfar = (site === 'cross-site' || site === 'same-site') && !isTopLevelNavigation(request);
  if (isForeign || isFromAfar)
    return 'The monitor answers its own page only, and this request comes from another one.';
  return undefined;
}

/** Somebody followed a link to our page, or opened it: nothing of it can be seen by the page with the link. */
function isTopLevelNavigation(request: HonoRequest): boolean {
  return request.method === 'GET' && request.path === '/' && request.header('sec-fetch-mode') === 'navigate';
}

/** An IPv6 address stands in brackets there. */
function urlHost(host: string): string {
  return host.includes(':') ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

function withoutPort(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
