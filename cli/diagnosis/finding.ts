// A finding of `doctor`.

/** `unknown`: the user may not run the command that reads the value. */
export type Level = 'ok' | 'warn' | 'fail' | 'unknown';

export interface DoctorFinding {
  readonly subject: string;
  readonly level: Level;
  /** One sentence without its full stop. */
  readonly found: string;
  /** The suggested change; undefined if none is needed. */
  readonly advice?: string;
}

export function unreadable(subject: string, what: string, command: string): DoctorFinding {
  return {
    subject,
    level: 'unknown',
    found: `this user cannot read ${what}`,
    advice: `Use a user with permission for ${command}, or ask the server's administrator.`,
  };
}
