// Certificates made with openssl: those of an authority, and those that it signs.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Without openssl the tests cannot create certificates and are skipped, except in CI. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0 || process.env.CI === 'true';

/** The files of a certificate and its private key. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export class Authority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tickbus-tls-'));
  readonly #key: string;
  /** The file of the authority's certificate. */
  readonly file: string;
  #count = 0;

  constructor() {
    this.#key = join(this.#folder, 'ca-key.pem');
    this.file = join(this.#folder, 'ca.pem');
    const self = ['-x509', '-days', '2', '-subj', '/CN=Test authority', '-out', this.file];
    openssl('req', ...NEW_KEY, '-keyout', this.#key, ...self);
  }

  get pem(): string {
    return readFileSync(this.file, 'utf8');
  }

  /** @param days until the certificate expires; negative for an expired one */
  issue(host: string, days = 2): Issued {
    const path = (name: string) => join(this.#folder, `${++this.#count}-${name}.pem`);
    const [cert, key, request, extensions] = [path('cert'), path('key'), path('request'), path('extensions')];
    writeFileSync(extensions, `subjectAltName=DNS:${host}`);
    openssl('req', '-new', ...NEW_KEY, '-keyout', key, '-subj', `/CN=${host}`, '-out', request);
    const signer = ['-CA', this.file, '-CAkey', this.#key, '-CAcreateserial', '-days', String(days)];
    openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', cert);
    return { cert, key };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
