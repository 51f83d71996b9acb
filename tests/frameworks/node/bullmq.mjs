// BullMQ: jobs that run, wait, repeat, fail and are tried again, wait for their children; events of them; a rate limit.
import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.env.PORT), db: 8, maxRetriesPerRequest: null };
const queue = new Queue("work", { connection });
const events = new QueueEvents("work", { connection });
await events.waitUntilReady();
const ticks = [];
const worker = new Worker("work", async (job) => {
  if (job.name === "tick") return ticks.push(job.id);
  if (job.name === "flaky" && job.attemptsMade < 2) throw new Error("not yet");
  if (job.name === "broken") throw new Error("never");
  if (job.name === "parent") return Object.values(await job.getChildrenValues()).sort();
  await job.updateProgress(50);
  return job.data.n * 2;
}, { connection, concurrency: 4, limiter: { max: 100, duration: 100 } });

const finished = (job) => job.waitUntilFinished(events, 20_000);
assert.equal(await finished(await queue.add("plain", { n: 21 })), 42);
const delayed = await queue.add("plain", { n: 1 }, { delay: 500 });
assert.equal(await delayed.getState(), "delayed");
assert.equal(await finished(delayed), 2);
assert.equal((await delayed.getState()), "completed");
await finished(await queue.add("flaky", {}, { attempts: 3, backoff: { type: "fixed", delay: 50 } }));
await assert.rejects(finished(await queue.add("broken", {}, { attempts: 2 })), /never/);
assert.equal(await queue.getFailedCount(), 1);
const once = [1, 2].map((n) => queue.add("plain", { n }, { jobId: "only-once" }));
assert.deepEqual(await Promise.all((await Promise.all(once)).map(finished)), [2, 2]);
const many = await queue.addBulk(Array.from({ length: 100 }, (_, n) => ({ name: "plain", data: { n }, opts: { priority: n % 3 } })));
assert.deepEqual(await Promise.all(many.map(finished)), Array.from({ length: 100 }, (_, n) => 2 * n));

const flow = new FlowProducer({ connection });
const children = [1, 2].map((n) => ({ name: "plain", queueName: "work", data: { n } }));
assert.deepEqual(await finished((await flow.add({ name: "parent", queueName: "work", children })).job), [2, 4]);

await queue.upsertJobScheduler("every", { every: 200 }, { name: "tick" });
for (let wait = 0; ticks.length < 3 && wait < 100; wait++) await new Promise((then) => setTimeout(then, 100));
assert.ok(ticks.length >= 3, `${ticks.length} ticks`);
assert.ok(await queue.removeJobScheduler("every"));
await queue.pause();
assert.ok(await queue.isPaused());
await queue.obliterate({ force: true });
await Promise.all([worker, flow, events, queue].map((part) => part.close()));
