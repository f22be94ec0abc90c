// Computes all findings of `doctor` from the server's reports. This module and those of the subjects are pure.

import type { ChannelStats, ClockReport, CommandStates, ServerReport, UserPermissions } from 'tickbus/admin';
import { knownChannel } from '../channel-lookup.ts';
import { clockFindings } from './clock-findings.ts';
import { clusterFindings } from './cluster-findings.ts';
import { commandFindings } from './command-findings.ts';
import { definitionFindings } from './definition-findings.ts';
import { type DoctorFinding, unreadable } from './finding.ts';
import { type NameFacts, nameFindings } from './name-findings.ts';
import { permissionFindings } from './permission-findings.ts';
import { sentinelFindings } from './sentinel-findings.ts';
import { serverFindings } from './server-findings.ts';
import { writerFindings } from './writer-findings.ts';

export interface ServerFacts {
  readonly server: ServerReport;
  readonly clock: ClockReport;
  readonly commands: CommandStates;
  readonly permissions: UserPermissions;
  /** Undefined if the user may not read them. */
  readonly channels: readonly ChannelStats[] | undefined;
  readonly names: NameFacts;
}

export function diagnose(facts: ServerFacts): DoctorFinding[] {
  const { server, clock, commands, permissions, channels, names } = facts;
  return [
    ...serverFindings(server),
    ...sentinelFindings(server),
    ...clusterFindings(server),
    ...commandFindings(commands, server.user),
    ...permissionFindings(permissions, server, names.namespace),
    ...nameFindings(names, server),
    ...keyFindings(channels),
    ...definitionFindings(channels, knownChannel, names.namespace),
    ...writerFindings(channels, permissions),
    ...clockFindings(clock),
  ];
}

/** Findings about channels whose keys contain data that tickbus never writes. */
function keyFindings(channels: readonly ChannelStats[] | undefined): DoctorFinding[] {
  if (channels === undefined)
    return [unreadable('keys', 'the keys and leases of all channels', 'PTTL, XLEN and PUBSUB')];
  return channels.flatMap(({ channel, fault }) =>
    fault === undefined
      ? []
      : [{ subject: 'keys', level: 'fail', found: `${channel} cannot be used`, advice: fault }],
  );
}
