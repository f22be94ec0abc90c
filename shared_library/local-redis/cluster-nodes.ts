// Parses CLUSTER NODES.

/** What a node says about a node: a line of CLUSTER NODES. */
export interface NodeLine {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly masterId: string;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

export function parseNodeLines(reply: string): NodeLine[] {
  return [...reply.matchAll(NODE_LINE)].map(
    ([, id = '', port = '', flags = '', masterId = '', ranges = '']) => ({
      id,
      port: Number(port),
      flags: flags.split(','),
      masterId,
      ranges: [...ranges.matchAll(/ (\d+)(?:-(\d+))?(?= |$)/g)].map(
        ([, from, to]) => [Number(from), Number(to ?? from)] as const,
      ),
    }),
  );
}

/** id, ip:port@bus, flags, id of the master, ..., ranges of slots. */
const NODE_LINE = /^([0-9a-f]{40}) \S*?:(\d+)@\S+ (\S+) (\S+) \d+ \d+ \d+ \S+((?: \S+)*)$/gm;
