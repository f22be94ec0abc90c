// The certificates and keys of TLS connections.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { TickbusError } from '../../errors.ts';
import { printable } from '../../runtime/printable.ts';

/** A PEM text, or the file that holds it. `field` names the option or variable in errors. */
export type PemSource = { readonly field: string } & ({ readonly text: string } | { readonly file: string });

export interface Certificates {
  /** The authorities to trust, instead of those of Node.js. */
  readonly ca?: PemSource;
  /** The certificate that identifies the client, and its private key. */
  readonly cert?: PemSource;
  readonly key?: PemSource;
  /** The host name that the certificate of the server must have. Default: the host of the address. */
  readonly servername?: string;
}

/** The options of `tls.connect`. */
export interface TlsOptions {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
}

const PEM_NAMES = ['ca', 'cert', 'key'] as const;

/**
 * Reads the files on each call, so that a new connection uses renewed certificates.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` for a file that cannot be read or a text that is not PEM
 */
export function tlsOptions(host: string, certificates: Certificates = {}): TlsOptions {
  const { servername = isIP(host) === 0 ? host : undefined } = certificates;
  const options: TlsOptions = servername === undefined ? {} : { servername };
  for (const name of PEM_NAMES) {
    const source = certificates[name];
    if (source !== undefined) options[name] = pemOf(source, name === 'key' ? 'PRIVATE KEY' : 'CERTIFICATE');
  }
  return options;
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` for certificates that no connection could use */
export function checkCertificates(certificates: Certificates): void {
  const { cert, key, servername } = certificates;
  if (servername !== undefined && isIP(servername) !== 0)
    throw invalidOption(
      'servername',
      'is an IP address. Use the host name in the certificate of the server.',
    );
  if (cert !== undefined && key === undefined)
    throw invalidOption(cert.field, 'is given without its private key. Give both.');
  if (key !== undefined && cert === undefined)
    throw invalidOption(key.field, 'is given without its certificate. Give both.');
  const options = tlsOptions('localhost', certificates);
  const parse = (text: string | undefined) => text !== undefined && new X509Certificate(text);
  tryOpenssl(certificates.ca, () => parse(options.ca));
  tryOpenssl(cert, () => parse(options.cert));
  tryOpenssl(key, () => createSecureContext(options));
}

function pemOf(source: PemSource, kind: 'CERTIFICATE' | 'PRIVATE KEY'): string {
  const { field } = source;
  const text = 'text' in source ? source.text : readPem(source.file, field);
  const isPem = new RegExp(`-----BEGIN [A-Z0-9 ]*${kind}-----`).test(text);
  if (isPem && !text.includes('ENCRYPTED')) return text;
  const advice = 'text' in source ? ' Pass the text of the file, not its path.' : '';
  throw invalidOption(
    field,
    isPem
      ? 'is an encrypted private key. Use one without a passphrase, in a file that only this user can read.'
      : `contains no PEM ${kind.toLowerCase()}.${advice}`,
  );
}

function readPem(file: string, field: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw invalidOption(
      field,
      `names the file ${printable(file)}, which cannot be read (${code}). Check the path.`,
    );
  }
}

/** Maps an error of OpenSSL. Its text describes the fault without quoting the key. */
function tryOpenssl(source: PemSource | undefined, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    const { code, reason } = error as { code?: string; reason?: string };
    const fault =
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
        ? 'the private key belongs to another certificate'
        : `OpenSSL reports "${reason ?? code ?? 'an error'}"`;
    throw invalidOption(source?.field ?? 'ca', `cannot be used: ${fault}.`);
  }
}

function invalidOption(field: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${problem}`, { field });
}
