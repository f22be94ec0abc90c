// Generates the completion script for zsh.

import type { OptionWords, ProgramWords } from './words.ts';

export function zshScript({ options, verbs }: ProgramWords): string {
  const described = verbs.map(
    ({ verb, summary }) => `        ${quoted(`${verb}:${summary.replaceAll(':', '\\:')}`)}`,
  );
  const branches = verbs.map(({ verb, options: own, values, takesFile }) => {
    const first = takesFile ? ["'1: :_files'"] : [];
    const rest = values.length > 0 ? `'*: :(${values.join(' ')})'` : "'*:: :_files'";
    return `        ${verb}) _arguments ${[...[...own, ...options].map(specOf), ...first, rest].join(' ')} ;;`;
  });
  return `#compdef tickbus
# zsh completion of tickbus. For this shell, after compinit: source <(tickbus completion zsh)
_tickbus() {
  local state line
  local -a verbs
  _arguments -C ${options.map(specOf).join(' ')} '1: :->verb' '*:: :->rest'
  case $state in
    verb)
      verbs=(
${described.join('\n')}
      )
      _describe verb verbs ;;
    rest)
      case $words[1] in
${branches.join('\n')}
      esac ;;
  esac
}
# An autoloaded file on $fpath runs the function; a sourced file registers it.
if [[ $funcstack[1] == _tickbus ]]; then _tickbus "$@"; else compdef _tickbus tickbus; fi
`;
}

function specOf({ short, long, description, values, takesFile }: OptionWords): string {
  const text = description.replace(/[[\]:]/g, '\\$&');
  const action = values === undefined ? '' : takesFile ? ': :_files' : `: :(${values.join(' ')})`;
  const names = short === undefined ? [long] : [short, long];
  return names.map((name) => quoted(`*${name}[${text}]${action}`)).join(' ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
