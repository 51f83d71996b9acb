// Socket.IO over two processes, with the adapter by pub/sub and the one by streams: rooms, answers from all, who is there.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createAdapter as byPubSub } from "@socket.io/redis-adapter";
import { createAdapter as byStreams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

const url = `redis://127.0.0.1:${process.env.PORT}`;
const clients = [];
async function serve(kind) {
  clients.push(createClient({ url, database: 9 }));
  await clients[0].connect();
  if (kind === "pubsub") clients.push(await clients[0].duplicate().connect());
  const io = new Server(0, { adapter: kind === "pubsub" ? byPubSub(...clients) : byStreams(clients[0]) });
  io.on("connection", (socket) => socket.on("join", (room, done) => (socket.join(room), done())));
  return io;
}

if (process.argv[2]) {
  const io = await serve(process.argv[2]);
  process.send(io.httpServer.address().port);
  process.on("message", () => process.exit(0));
} else {
  for (const kind of ["pubsub", "streams"]) {
    const io = await serve(kind);
    const other = fork(fileURLToPath(import.meta.url), [kind]);
    const [port] = await once(other, "message");
    const [near, far] = [io.httpServer.address().port, port].map((at) => connect(`http://127.0.0.1:${at}`));
    for (const socket of [near, far]) {
      await socket.emitWithAck("join", "room");
      socket.on("question", (answer) => answer(socket.id));
    }
    for (let wait = 0; (await io.of("/").adapter.serverCount()) < 2 && wait < 100; wait++) await new Promise((then) => setTimeout(then, 100));
    const heard = Promise.all([once(near, "news"), once(far, "news")]);
    io.to("room").emit("news", { n: 1, bytes: Buffer.from([1, 2, 255]) });
    (await heard).forEach(([news]) => assert.deepEqual(news, { n: 1, bytes: Buffer.from([1, 2, 255]) }));
    assert.deepEqual((await io.timeout(5_000).emitWithAck("question")).sort(), [near.id, far.id].sort());
    assert.equal((await io.in("room").fetchSockets()).length, 2);
    [near, far].forEach((socket) => socket.disconnect());
    other.send("end");
    await io.close();
    clients.length = 0;
  }
  process.exit(0);
}
