// The lower bound: the Redis protocol on a raw socket, without the features of a client. Not for production.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Address, Peer } from './peer.ts';

const CRLF = '\r\n';

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const socket = await connected(server);
    let written: string[] = [];
    let sent = 0;
    let answered = 0;
    const waiting: { readonly until: number; resolve(): void }[] = [];
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) answered++;
      while (waiting[0] !== undefined && waiting[0].until <= answered) waiting.shift()?.resolve();
    });
    return {
      publish(payload) {
        const text = JSON.stringify(envelopeOf(channel, payload));
        written.push(
          `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${Buffer.byteLength(text)}\r\n${text}\r\n`,
        );
        sent++;
        return undefined;
      },
      flush() {
        socket.write(written.join(''));
        written = [];
        return new Promise<void>((resolve) => waiting.push({ until: sent, resolve }));
      },
      close: async () => void socket.destroy(),
    };
  },

  async subscriber(server, channel, onPayload) {
    const socket = await connected(server);
    socket.write(`*2\r\n$9\r\nSUBSCRIBE\r\n$${channel.length}\r\n${channel}\r\n`);
    await once(socket, 'data');
    const head = Buffer.from(`*3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$`);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      rest = rest.subarray(readMessages(rest, head.length, (text) => onPayload(readText(channel, text), 0)));
    });
    return { close: async () => void socket.destroy() };
  },
};

/** Reads every complete message. @returns the count of bytes read */
function readMessages(bytes: Buffer, headLength: number, onText: (text: string) => void): number {
  let at = 0;
  for (;;) {
    const sizeAt = at + headLength;
    const sizeEnd = bytes.indexOf(CRLF, sizeAt);
    if (sizeEnd < 0 || sizeAt >= bytes.length) return at;
    const start = sizeEnd + CRLF.length;
    const end = start + Number(bytes.toString('latin1', sizeAt, sizeEnd));
    if (end + CRLF.length > bytes.length) return at;
    onText(bytes.toString('utf8', start, end));
    at = end + CRLF.length;
  }
}

async function connected({ host, port }: Address): Promise<Socket> {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}
