// Generates the completion script for bash.

import type { OptionWords, ProgramWords } from './words.ts';

export function bashScript({ options, verbs }: ProgramWords): string {
  const optionsWithValue = options.filter(({ values }) => values !== undefined).flatMap(namesOf);
  const choices = verbs.flatMap(({ verb, options: own }) =>
    own
      .filter(({ values }) => values !== undefined)
      .map(({ values = [], ...names }) => {
        const patterns = namesOf(names).map((name) => `'${verb} ${name}'`);
        return `    ${patterns.join(' | ')}) words='${values.join(' ')}' ;;`;
      }),
  );
  // If the script offers no words, bash completes file names.
  const files = [
    ...optionsWithValue.map((name) => `*' ${name}'`),
    ...verbs.filter(({ takesFile }) => takesFile).map(({ verb }) => `'${verb} ${verb}'`),
  ];
  const words = verbs.map(
    ({ verb, options: own, values }) =>
      `        ${verb}) words='${[...values, ...[...own, ...options].map(({ long }) => long)].join(' ')}' ;;`,
  );
  const first = [...verbs.map(({ verb }) => verb), ...options.map(({ long }) => long)];
  return `# bash completion of tickbus. For this shell: source <(tickbus completion bash)
_tickbus() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} verb= words= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${optionsWithValue.join(' | ')}) ((i++)) ;;
      -*) ;;
      *) verb=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case "$verb $prev" in
${choices.join('\n')}
    ${files.join(' | ')}) ;;
    *)
      case $verb in
        '') words='${first.join(' ')}' ;;
${words.join('\n')}
      esac ;;
  esac
  COMPREPLY=()
  for word in $words; do
    if [[ $word == "$cur"* && ($word != -* || $cur == -*) ]]; then COMPREPLY+=("$word"); fi
  done
}
complete -o default -F _tickbus tickbus
`;
}

function namesOf({ short, long }: Pick<OptionWords, 'short' | 'long'>): string[] {
  return short === undefined ? [long] : [short, long];
}
