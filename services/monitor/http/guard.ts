// Access control for requests: accepts the monitor's own page and local programs, rejects pages of other sites (DNS
// rebinding, cross-site requests).

import type { Context, HonoRequest, MiddlewareHandler } from 'hono';

/** Host names that a browser on this machine may use. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Allows the monitor's own files only: no inline script or style, no other host, no embedding in a frame. */
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
 * Middleware that sets security headers and answers 403 to
 * - an unknown Host, because another name may resolve to this address (DNS rebinding);
 * - a foreign Origin, or a request that the browser marks as cross-site.
 *
 * @param allowedHosts accepted host names besides localhost, without a port
 * @param onRejected called before the response to a rejected request
 */
export function guard(
  allowedHosts: readonly string[],
  onRejected: (context: Context, reason: string) => Promise<void>,
): MiddlewareHandler {
  const hosts = new Set([...LOOPBACK, ...allowedHosts.map(urlHost)]);
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    const rejection = rejectionOf(context.req, host, hosts);
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    if (rejection === undefined) return next();
    await onRejected(context, rejection);
    return context.text(`${rejection}\n`, 403);
  };
}

function rejectionOf(request: HonoRequest, host: string, hosts: ReadonlySet<string>): string | undefined {
  if (!hosts.has(withoutPort(host)))
    return 'Unknown host name, request rejected. Use http://127.0.0.1, or add the name to MONITOR_ALLOWED_HOSTS.';
  const origin = request.header('origin');
  const isForeign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  const site = request.header('sec-fetch-site');
  const isCrossSite = (site === 'cross-site' || site === 'same-site') && !isTopLevelNavigation(request);
  if (isForeign || isCrossSite) return 'Cross-site request, rejected. Open the page of the monitor itself.';
  return undefined;
}

/** Opening the page from a link is safe: the linking page cannot read the response. */
function isTopLevelNavigation(request: HonoRequest): boolean {
  return request.method === 'GET' && request.path === '/' && request.header('sec-fetch-mode') === 'navigate';
}

/** Lower-cases the name and puts brackets around an IPv6 address. */
function urlHost(host: string): string {
  return host.includes(':') ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

function withoutPort(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
