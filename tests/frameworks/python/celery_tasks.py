"""A worker in a process of its own: results, retries, a countdown, a chord, and a task that is revoked."""

import os
import subprocess
import sys

from celery import Celery, chord
from celery.exceptions import TaskRevokedError

url = f"redis://127.0.0.1:{os.environ['PORT']}"
app = Celery("celery_tasks", broker=f"{url}/1", backend=f"{url}/2")
app.conf.broker_connection_retry_on_startup = True


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def at_third_try(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


if __name__ == "__main__":
    command = ["-m", "celery", "-A", "celery_tasks", "worker", "-c", "2", "-l", "WARNING"]
    worker = subprocess.Popen([sys.executable, *command], cwd=os.path.dirname(os.path.abspath(__file__)))
    try:
        assert add.delay(2, 3).get(timeout=30) == 5
        assert at_third_try.delay().get(timeout=30) == 2
        assert add.apply_async((1, 1), countdown=0.3).get(timeout=30) == 2
        assert chord((add.s(n, n) for n in range(10)), total.s()).delay().get(timeout=30) == 90
        assert [r.get(timeout=30) for r in [add.delay(n, 1) for n in range(50)]] == list(range(1, 51))
        revoked = add.apply_async((1, 1), countdown=1)
        revoked.revoke()
        try:
            raise SystemExit(f"a revoked task says {revoked.get(timeout=30)}")
        except TaskRevokedError:
            pass
        assert app.control.ping(timeout=2), "the worker hears a broadcast"
    finally:
        worker.terminate()
        worker.wait(30)
