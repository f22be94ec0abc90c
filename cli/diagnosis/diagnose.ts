// All findings of `doctor` from the server's reports. Pure functions, here and in the module of each subject.

import type { ChannelStats, ClockReport, ServerReport, UserPermissions } from 'tickbus/admin';
import { clockFindings } from './clock-findings.ts';
import type { DoctorFinding } from './finding.ts';
import { permissionFindings } from './permission-findings.ts';
import { serverFindings } from './server-findings.ts';
import { writerFindings } from './writer-findings.ts';

export interface ServerFacts {
  readonly server: ServerReport;
  readonly clock: ClockReport;
  readonly permissions: UserPermissions;
  readonly channels: readonly ChannelStats[];
}

export function diagnose({ server, clock, permissions, channels }: ServerFacts): DoctorFinding[] {
  return [
    ...serverFindings(server),
    ...permissionFindings(permissions, server.user),
    ...writerFindings(channels, permissions),
    ...clockFindings(clock),
  ];
}
