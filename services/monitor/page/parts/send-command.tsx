// Dialog that sends one command: enter, review, send.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CommandRequest, CommandResponse } from '../../api-protocol.ts';
import type { CommandForm } from '../../page-protocol.ts';
import { words } from '../display-format.ts';
import { about, bots } from '../store.ts';
import { CommandFields, payloadOf } from './command-fields.tsx';

/**
 * Time limit of the request. A browser opens at most six connections to the monitor; if other pages use all of them,
 * the request waits in the browser. A command must not be sent after the operator has given up.
 */
const TIMEOUT_MS = 10_000;

/** Kept in memory only, until the page is closed. */
let token = '';

export function SendCommand({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement | null>(null);
  const forms = about.value?.commands ?? [];
  const [type, setType] = useState('pause');
  const form = forms.find((one) => one.type === type) ?? { type };
  const [pending, setPending] = useState<CommandRequest | undefined>(undefined);
  const [result, setResult] = useState<string | undefined>(undefined);
  const submit = useRef<HTMLButtonElement | null>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const back = () => {
    setPending(undefined);
    requestAnimationFrame(() => submit.current?.focus());
  };
  const review = (event: SubmitEvent) => {
    event.preventDefault();
    setResult(undefined);
    setPending({ type, data: payloadOf(event.currentTarget as HTMLFormElement, form) });
  };
  const send = async (request: CommandRequest) => {
    back();
    setResult(await post(request));
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="send-title" onClose={onClose}>
      <h2 id="send-title">Send a command</h2>
      <form onSubmit={review} hidden={pending !== undefined}>
        <Form forms={forms} form={form} onType={setType} />
        <div class="dialog-foot">
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Close
          </button>
          <button type="submit" ref={submit}>
            Review…
          </button>
        </div>
      </form>
      {pending !== undefined && <Confirm request={pending} onSend={() => send(pending)} onBack={back} />}
      <p class="send-result" role="status">
        {result}
      </p>
    </dialog>
  );
}

interface FormProps {
  readonly forms: readonly CommandForm[];
  readonly form: CommandForm;
  readonly onType: (type: string) => void;
}

function Form({ forms, form, onType }: FormProps) {
  return (
    <div class="fields">
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          required
          // The Authorization header cannot contain other characters.
          pattern="[\x20-\x7e]+"
          title="Letters without accents, digits and signs"
          defaultValue={token}
          onInput={({ currentTarget }) => {
            token = currentTarget.value;
          }}
        />
      </label>
      <label>
        Command
        <select value={form.type} onChange={({ currentTarget }) => onType(currentTarget.value)}>
          {forms.map(({ type }) => (
            <option key={type} value={type}>
              {words(type)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Bot
        <input name="bot" list="known-bots" required autocomplete="off" />
        <datalist id="known-bots">
          {bots.value.map(({ bot }) => (
            <option key={bot} value={bot} />
          ))}
        </datalist>
      </label>
      <CommandFields form={form} />
    </div>
  );
}

function Confirm({
  request: { type, data },
  onSend,
  onBack,
}: {
  request: CommandRequest;
  onSend: () => void;
  onBack: () => void;
}) {
  const { bot, ...rest } = data;
  const group = useRef<HTMLDivElement | null>(null);
  // Focuses the question instead of a button: screen readers read it out, and a second Enter sends nothing.
  useLayoutEffect(() => group.current?.focus(), []);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form controls
    <div class="confirm" ref={group} tabIndex={-1} role="group" aria-labelledby="confirm-question">
      <p id="confirm-question">
        Send <b>{words(type)}</b> to <b>{String(bot)}</b>? The bot executes it immediately.
      </p>
      <dl>
        {Object.entries(rest).map(([name, value]) => (
          <div key={name}>
            <dt>{words(name)}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-foot">
        <button type="button" class="quiet" onClick={onBack}>
          Back
        </button>
        <button type="button" class="danger" onClick={onSend}>
          Send {words(type)} to {String(bot)}
        </button>
      </div>
    </div>
  );
}

async function post(request: CommandRequest): Promise<string> {
  try {
    const response = await fetch('/api/commands', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return ((await response.json()) as CommandResponse).message;
  } catch {
    return 'The monitor did not answer. The outcome is unknown: check the list of commands before you send it again.';
  }
}
