// A mapping module that reads nothing, for servers that send nothing useful.

export function read(): undefined {}
