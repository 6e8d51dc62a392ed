// A receiver of callbacks as durable as the service, in the fewest lines: Fastify takes them, and a script of Lua in Redis keeps
// each event once. Redis answers after its fsync (`appendfsync always`), which all callbacks that came meanwhile share.
//
//   node receiver.js PORT SOCKET PATH SECRET
import { createHmac, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import { Redis } from 'ioredis';

const [port, socket, path, secret] = process.argv.slice(2);
const redis = new Redis(socket);
redis.defineCommand('keep', {
  numberOfKeys: 2,
  lua: `if redis.call('HSETNX', KEYS[1], ARGV[1], 1) == 0 then return 0 end
        redis.call('XADD', KEYS[2], '*', 'body', ARGV[2])
        return 1`,
});

const app = Fastify();
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

app.post(path, async ({ body, headers }, reply) => {
  const signature = Buffer.from(headers['x-sinch-signature'] ?? '', 'hex');
  const expected = createHmac('sha1', secret).update(body).digest();
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return reply.code(401).send();
  await redis.keep('seen', 'deliveries', JSON.parse(body).eventId, body);
  return reply.send();
});

app.get('/readyz', async () => '');
app.get('/count', async () => `${await redis.xlen('deliveries')}`);

await app.listen({ host: '127.0.0.1', port });
