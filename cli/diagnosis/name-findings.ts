// Findings about what keeps desks on one server apart: the namespace and the database.

import { otherDatabaseAdvice, type ServerReport } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

export interface NameFacts {
  /** The database number of this program. */
  readonly database: number;
  readonly namespace: string | undefined;
  /** Another database for each channel that is used there, too; undefined if the user may not know. */
  readonly otherDatabases: ReadonlyMap<string, number> | undefined;
}

export function nameFindings(
  facts: NameFacts,
  { databases = [] }: Pick<ServerReport, 'databases'>,
): DoctorFinding[] {
  return [namespaceOf(facts), ...databasesOf(facts, databases)];
}

function namespaceOf({ namespace }: NameFacts): DoctorFinding {
  const found =
    namespace === undefined
      ? 'none: channels and keys have no prefix'
      : `${namespace}: PRICE_DATA is the Redis channel ${namespace}:PRICE_DATA`;
  return { subject: 'namespace', level: 'ok', found };
}

/** A database with keys can belong to any program, so it is a fault only if it uses a channel of tickbus. */
function databasesOf(facts: NameFacts, databases: readonly number[]): DoctorFinding[] {
  const { database, namespace, otherDatabases } = facts;
  const subject = 'databases';
  const others = databases.filter((other) => other !== database);
  if (others.length === 0) return [];
  const have = `${others.length === 1 ? 'database' : 'databases'} ${others.join(', ')} too`;
  if (otherDatabases === undefined)
    return [
      {
        subject,
        level: 'warn',
        found: `this program uses database ${database}, and there are keys in ${have}: pub/sub does not separate them`,
        advice: 'If tickbus uses them, give each desk a namespace of its own (TICKBUS_NAMESPACE).',
      },
    ];
  if (otherDatabases.size === 0)
    return [
      { subject, level: 'ok', found: `${database}; there are keys in ${have}, but not of these channels` },
    ];
  return [...otherDatabases].map(([channel, other]) => ({
    subject,
    level: 'fail',
    found: `${channel} is used from database ${other}, and this program uses database ${database}`,
    advice: otherDatabaseAdvice(channel, other, namespace),
  }));
}
