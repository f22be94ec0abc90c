// Sentences for the operator, within the limit of the schemas.

const MAX_LENGTH = 1_000;

/** Cut off after 1,000 characters. Half of a surrogate pair is replaced, because it is not valid UTF-8. */
export function detailText(text: string): string {
  return Buffer.from(text.slice(0, MAX_LENGTH)).toString();
}

/** Never empty. */
export function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)) || 'A handler failed.';
}
