// Dialog that sends one command: enter, review, send.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CommandRequest, CommandResponse } from '../../page-protocol.ts';
import { words } from '../display-format.ts';
import { bots } from '../store.ts';

interface CommandField {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'side';
  readonly isRequired: boolean;
}

const required = (name: string, kind: CommandField['kind'] = 'text'): CommandField => ({
  name,
  kind,
  isRequired: true,
});
const optional = (name: string, kind: CommandField['kind'] = 'text'): CommandField => ({
  name,
  kind,
  isRequired: false,
});

/** Mirrors the schemas of TRADE_COMMANDS, which the server enforces. */
const COMMANDS: Readonly<Record<string, readonly CommandField[]>> = {
  pause: [optional('reason')],
  resume: [optional('reason')],
  cancel_all: [optional('symbol')],
  cancel_order: [required('order_id')],
  place_order: [
    required('symbol'),
    required('side', 'side'),
    required('quantity', 'number'),
    optional('limit_price', 'number'),
    optional('order_id'),
  ],
};

/**
 * Time limit of the request. A browser opens at most six connections to the monitor; if other pages use all of them,
 * the request waits in the browser. A command must not be sent after the operator has given up.
 */
const TIMEOUT_MS = 10_000;

/** Kept in memory only, until the page is closed. */
let token = '';

export function SendCommand({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement | null>(null);
  const [type, setType] = useState('pause');
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
    setPending({ type, data: payloadOf(event.currentTarget as HTMLFormElement, type) });
  };
  const send = async (request: CommandRequest) => {
    back();
    setResult(await post(request));
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="send-title" onClose={onClose}>
      <h2 id="send-title">Send a command</h2>
      <form onSubmit={review} hidden={pending !== undefined}>
        <Form type={type} onType={setType} />
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

function Form({ type, onType }: { type: string; onType: (type: string) => void }) {
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
        <select value={type} onChange={({ currentTarget }) => onType(currentTarget.value)}>
          {Object.keys(COMMANDS).map((name) => (
            <option key={name} value={name}>
              {words(name)}
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
      {(COMMANDS[type] ?? []).map((field) => (
        <LabelledField key={field.name} field={field} />
      ))}
    </div>
  );
}

function LabelledField({ field }: { field: CommandField }) {
  const { name, kind, isRequired } = field;
  const id = `field-${name}`;
  return (
    <label htmlFor={id}>
      {words(name)}
      {isRequired ? '' : ' (optional)'}
      {kind === 'side' ? (
        <select id={id} name={name}>
          <option value="buy">buy</option>
          <option value="sell">sell</option>
        </select>
      ) : (
        <Input id={id} field={field} />
      )}
    </label>
  );
}

function Input({ id, field: { name, kind, isRequired } }: { id: string; field: CommandField }) {
  const common = { id, name, required: isRequired };
  if (kind === 'number') return <input type="number" step="any" min="0" {...common} />;
  return <input autocomplete="off" {...common} />;
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
            <dd>{String(value)}</dd>
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

function payloadOf(form: HTMLFormElement, type: string): Record<string, unknown> {
  const given = new FormData(form);
  const fields = [required('bot'), ...(COMMANDS[type] ?? [])];
  const values = fields.map(({ name, kind }) => {
    const text = String(given.get(name) ?? '').trim();
    return [name, text === '' ? undefined : kind === 'number' ? Number(text) : text] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
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
