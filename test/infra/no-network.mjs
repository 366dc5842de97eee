import { appendFileSync } from 'node:fs';
import { Socket } from 'node:net';

// Loaded into every Node process of a test: a connection to another machine fails, and is put on record.
const connect = Socket.prototype.connect;
Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof options === 'object' && options !== null && options.path !== undefined) return connect.apply(this, args);
  appendFileSync(process.env.NETWORK_USED ?? '', `${process.argv.join(' ')}: ${JSON.stringify(options)}\n`);
  process.nextTick(() => this.destroy(new Error('ENETUNREACH: this test has no network')));
  return this;
};
