"""RQ: a worker carries out jobs, one of which fails, one depends on another, one is scheduled."""

import os
from datetime import timedelta

from redis import Redis
from rq import Queue, SimpleWorker

connection = Redis(port=int(os.environ["PORT"]), db=3)
queue = Queue(connection=connection)

first = queue.enqueue(len, "four")
after = queue.enqueue(max, 7, 3, depends_on=first)
bad = queue.enqueue("math.sqrt", "no number")
later = queue.enqueue_in(timedelta(hours=1), len, "later")
assert queue.count == 2 and after.is_deferred

SimpleWorker([queue], connection=connection).work(burst=True, with_scheduler=False)

assert first.return_value() == 4, first.get_status()
assert after.return_value() == 7, after.get_status()
assert bad.is_failed and bad.id in queue.failed_job_registry
assert later.id in queue.scheduled_job_registry and later.is_scheduled
queue.failed_job_registry.requeue(bad.id)
assert queue.get_job_ids() == [bad.id]
