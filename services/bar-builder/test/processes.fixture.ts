// Bar builders as child processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EventRecorder } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));

export class BuilderProcess {
  readonly child: ChildProcess;
  /** The lines of stderr. */
  readonly lines = new EventRecorder<string>();
  readonly exit: Promise<unknown>;

  constructor(env: Readonly<Record<string, string>>, ...args: string[]) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env.PATH ?? '', HTTP_PORT: '0', LEASE_TTL_MS: '2500', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exit = once(this.child, 'close');
    const { stdout, stderr } = this.child as { stdout: Readable; stderr: Readable };
    for (const stream of [stdout, stderr]) createInterface({ input: stream }).on('line', this.lines.add);
  }

  /** Whether its latest role is `active`. */
  get isActive(): boolean {
    const role = this.lines.items.findLast((line) => /The bar builder is \w+\./.test(line));
    return role?.includes('The bar builder is active.') ?? false;
  }

  async hasRole(role: 'standby' | 'active'): Promise<void> {
    await this.lines.first((line) => line.includes(`The bar builder is ${role}.`));
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await this.exit;
  }
}
