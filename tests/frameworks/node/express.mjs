// Express with its sessions and a rate limiter in the server.
import assert from "node:assert/strict";
import { RedisStore as Sessions } from "connect-redis";
import express from "express";
import { rateLimit } from "express-rate-limit";
import session from "express-session";
import { RedisStore as Limits } from "rate-limit-redis";
import { createClient } from "redis";

const client = createClient({ url: `redis://127.0.0.1:${process.env.PORT}/10` });
await client.connect();
const app = express();
const store = new Sessions({ client, ttl: 60 });
app.use(session({ store, secret: "test", resave: false, saveUninitialized: false }));
app.get("/count", (request, response) => response.json((request.session.count = (request.session.count ?? 0) + 1)));
app.get("/end", (request, response) => request.session.destroy(() => response.json("gone")));
const limits = new Limits({ sendCommand: (...words) => client.sendCommand(words) });
app.get("/limited", rateLimit({ windowMs: 60_000, limit: 3, store: limits }), (_, response) => response.json("in"));
const server = app.listen(0);
const base = `http://127.0.0.1:${server.address().port}`;

const first = await fetch(`${base}/count`);
const headers = { cookie: first.headers.get("set-cookie").split(";")[0] };
assert.equal(await (await fetch(`${base}/count`, { headers })).json(), 2);
const [key] = await client.keys("sess:*");
assert.ok((await client.ttl(key)) > 50 && (await store.length()) === 1);
await fetch(`${base}/end`, { headers });
assert.equal(await client.dbSize(), 0);

const status = [];
for (let n = 0; n < 5; n++) status.push((await fetch(`${base}/limited`)).status);
assert.deepEqual(status, [200, 200, 200, 429, 429]);
server.close();
client.destroy();
