// The two versions of an upgrade: an older checkout, and this one.

export type Version = 'old' | 'new';

export const VERSIONS: readonly Version[] = ['old', 'new'];
