// ioredis: pipelines, transactions, a defined command, pub/sub, scanning, blocking reads, and Redlock on top of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import Redis from "ioredis";
import Redlock from "redlock";

const redis = new Redis({ port: Number(process.env.PORT), db: 11, keyPrefix: "app:" });
assert.equal(await redis.set("n", 1, "EX", 60), "OK");
assert.deepEqual(await redis.pipeline().incr("n").hset("h", { a: 1, b: 2 }).hgetall("h").exec(),
  [[null, 2], [null, 2], [null, { a: "1", b: "2" }]]);
assert.deepEqual(await redis.multi().lpush("l", "x").lrange("l", 0, -1).exec(), [[null, 1], [null, ["x"]]]);
redis.defineCommand("twice", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], redis.call('GET', KEYS[1]))" });
assert.equal(await redis.twice("n"), 4);

const listener = redis.duplicate();
await listener.psubscribe("news.*");
const heard = once(listener, "pmessage");
assert.equal(await redis.publish("news.today", "hello"), 1);
assert.deepEqual(await heard, ["news.*", "news.today", "hello"]);

const waiter = redis.duplicate();
const popped = waiter.brpop("queue", 10);
await redis.lpush("queue", "job");
assert.deepEqual(await popped, ["app:queue", "job"]);
await redis.sadd("big", Array.from({ length: 1000 }, (_, n) => `member:${n}`));
const members = new Set();
for await (const some of redis.sscanStream("big")) some.forEach((member) => members.add(member));
assert.equal(members.size, 1000);
await assert.rejects(redis.lpush("n", 1), /WRONGTYPE/);
const read = waiter.xread("BLOCK", 10_000, "STREAMS", "stream", "$");
setTimeout(() => redis.xadd("stream", "*", "field", "value"), 50);
assert.deepEqual((await read)[0][1][0][1], ["field", "value"]);

const plain = redis.duplicate({ keyPrefix: "" });
const locks = new Redlock([plain], { retryCount: 1, retryDelay: 10 });
const lock = await locks.lock("resource", 5_000);
await assert.rejects(locks.lock("resource", 5_000), { name: "LockError" });
await (await lock.extend(5_000)).unlock();
assert.equal(await plain.exists("resource"), 0);
[redis, listener, waiter, plain].forEach((client) => client.disconnect());
