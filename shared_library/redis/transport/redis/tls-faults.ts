// Describes TLS faults: what failed, and what to do.

import { printable } from '../../runtime/printable.ts';

const UNKNOWN_AUTHORITY =
  'the certificate of the server is from an unknown authority. Set `ca`, or REDIS_TLS_CA_FILE, to the certificate of ' +
  'its authority.';
const NO_TLS =
  'the server does not use TLS on this port. Use redis:// instead of rediss://, or the TLS port of the server.';

/** The verification errors of OpenSSL, by the `code` that Node.js gives them, and protocol errors. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'the certificate of the server has expired. Renew it on the server.'],
  [
    'CERT_NOT_YET_VALID',
    'the certificate of the server is not valid yet. Check the clocks of both machines.',
  ],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNKNOWN_AUTHORITY],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_AUTHORITY],
  ['CERT_UNTRUSTED', UNKNOWN_AUTHORITY],
  ['INVALID_CA', UNKNOWN_AUTHORITY],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_UNEXPECTED_MESSAGE', NO_TLS],
]);

/** Fault and advice if the error is a TLS fault, which recurs until somebody changes a certificate or a setting. */
export function tlsFault(error: unknown): string | undefined {
  const { code, reason } = (error ?? {}) as { code?: unknown; reason?: unknown };
  if (typeof code !== 'string') return undefined;
  const known = FAULTS.get(code);
  if (known !== undefined) return known;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return (
      `the certificate of the server is for another host (${printable(String(reason).trim())}). Connect by a host ` +
      'name in the certificate, or set `servername`, or REDIS_TLS_SERVERNAME, to one.'
    );
  const [, alert] = /^ERR_SSL_.*_ALERT_(.+)$/.exec(code) ?? [];
  if (alert !== undefined) return alertFault(alert, code);
  if (/^(?:ERR_(?:SSL|TLS|OSSL)_|CERT_|CRL_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/.test(code))
    return `TLS failed (${printable(code)}). Check the certificates and TLS settings of both sides.`;
  return undefined;
}

/** The server rejects a handshake with an alert. TLS 1.2 has no specific alert for a missing certificate. */
function alertFault(alert: string, code: string): string {
  const setCertificate = 'Set `cert` and `key`, or REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE';
  if (alert === 'CERTIFICATE_REQUIRED') return `the server requires a client certificate. ${setCertificate}.`;
  if (alert === 'HANDSHAKE_FAILURE')
    return `the server rejected the TLS handshake. If it requires a client certificate: ${setCertificate}.`;
  if (alert === 'CERTIFICATE_EXPIRED') return 'the client certificate has expired. Renew it.';
  if (alert === 'UNKNOWN_CA')
    return 'the server does not know the authority of the client certificate. Use one that it trusts.';
  if (/CERTIFICATE|ACCESS_DENIED|DECRYPT/.test(alert))
    return `the server rejected the client certificate (${printable(code)}). Use one that it accepts.`;
  return `the server rejected the TLS handshake (${printable(code)}). Check the TLS settings of both sides.`;
}
