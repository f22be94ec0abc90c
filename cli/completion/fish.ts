// Generates the completion script for fish.

import type { OptionWords, ProgramWords } from './words.ts';

export function fishScript({ options, verbs }: ProgramWords): string {
  // __fish_use_subcommand of fish mistakes the value of an option, as in --url redis://host, for the verb.
  const noVerb = `'not __fish_seen_subcommand_from ${verbs.map(({ verb }) => verb).join(' ')}'`;
  const first = verbs.map(
    ({ verb, summary }) => `complete -c tickbus -f -n ${noVerb} -a ${verb} -d ${quoted(summary)}`,
  );
  const everywhere = options.map((option) => `complete -c tickbus ${flagsOf(option)}`);
  const own = verbs.flatMap(({ verb, options: ofVerb, values, takesFile }) => {
    const begin = `complete -c tickbus -n '__fish_seen_subcommand_from ${verb}'`;
    const files = takesFile ? '' : ' -f';
    const words = values.length > 0 ? [`${begin}${files} -a ${quoted(values.join(' '))}`] : [];
    return [...words, ...ofVerb.map((option) => `${begin} ${flagsOf(option)}`)];
  });
  const title = '# fish completion of tickbus. For this shell: tickbus completion fish | source';
  return `${[title, ...first, ...everywhere, ...own].join('\n')}\n`;
}

function flagsOf({ short, long, description, values }: OptionWords): string {
  return [
    `-l ${long.slice(2)}`,
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(values === undefined ? [] : ['-r']),
    ...(values && values.length > 0 ? [`-f -a ${quoted(values.join(' '))}`] : []),
    `-d ${quoted(description)}`,
  ].join(' ');
}

/** Within single quotes, fish interprets only the backslash and the quote. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
