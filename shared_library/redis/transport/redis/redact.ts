// Hides the password in error texts. Some errors of the server quote arguments of commands.

/** Passwords up to this length are hidden only as a whole, because their beginnings are part of many words. */
const SHORT_PASSWORD = 4;

/** Longer texts are cut off. Callers show at most 1,000 characters anyway. */
const MAX_TEXT = 10_000;

/**
 * Replaces the password with `***`, whether it is plain, URL-encoded or JSON-encoded, and even if its second half is
 * cut off. Also removes the arguments that Redis quotes after an unknown command, because Redis cuts them off anywhere.
 *
 * Apply it before the text is escaped or truncated.
 */
export function redact(text: string, password: string | undefined): string {
  const quoted = text.slice(0, MAX_TEXT).replace(/(with args beginning with:).*$/is, '$1 ***');
  if (password === undefined || password === '') return quoted;
  const forms = formsOf(password);
  let hidden = '';
  let from = 0;
  for (let at = 0; at < quoted.length; at++) {
    const length = Math.max(...forms.map((form) => matchingLength(quoted, at, form)));
    if (length === 0) continue;
    hidden += `${quoted.slice(from, at)}***`;
    from = at + length;
    at = from - 1;
  }
  return hidden + quoted.slice(from);
}

function formsOf(password: string): readonly string[] {
  const encoded = encodeURIComponent(password);
  return [
    password,
    // Redis writes line breaks of an error as spaces.
    password.replace(/[\r\n]/g, ' '),
    encoded,
    encoded.replace(/%[\dA-F]{2}/g, (code) => code.toLowerCase()),
    encoded.replaceAll('%20', '+'),
    JSON.stringify(password).slice(1, -1),
  ];
}

/** The number of characters at `at` that match the beginning of the secret; 0 if too few match to be the secret. */
function matchingLength(text: string, at: number, secret: string): number {
  let length = 0;
  while (length < secret.length && text[at + length] === secret[length]) length++;
  const least = Math.max(Math.min(SHORT_PASSWORD, secret.length), Math.ceil(secret.length / 2));
  return length >= least ? length : 0;
}
