// The error of a publisher whose token is not that of the lease, as the scripts of Redis give it.

import { TickbusError } from '../../errors.ts';
import { thisProgram } from '../../runtime/program.ts';
import type { FenceToken } from '../port.ts';
import type { ServerChannel } from './server-channel.ts';

export function fencedError(
  { name }: { readonly name: string },
  channel: ServerChannel,
  token: FenceToken | undefined,
): TickbusError {
  return new TickbusError(
    'TICKBUS_FENCED',
    `Nothing was published on ${name}: ${reason(name, channel, token)}.`,
  );
}

function reason(name: string, { lease, leasedAt }: ServerChannel, token: FenceToken | undefined): string {
  const { host, pid } = thisProgram();
  const holder = `${host}-${pid}, since ${new Date(leasedAt).toISOString()}`;
  if (lease?.token === 'nobody')
    return `the lease of ${name} is about to be granted: its last holder may still publish`;
  if (lease !== undefined) return `another process holds the lease of ${name}: ${holder}`;
  if (token !== undefined) return `this process has lost the lease of ${name}`;
  return `the last holder of the lease of ${name} did not release it and may still publish: ${holder}`;
}
