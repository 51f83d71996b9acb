"""Redlock: who has the lock keeps others out, and only he can free it."""

import os

import redis
from redlock import Redlock

server = redis.Redis(port=int(os.environ["PORT"]), db=6)
locks = Redlock([server], retry_count=1)
held = locks.lock("resource", 10_000)
assert held and 0 < server.pttl("resource") <= 10_000
assert not locks.lock("resource", 10_000), "locked by another"
locks.unlock(held._replace(key="not the key"))
assert server.exists("resource") == 1
locks.unlock(held)
assert server.exists("resource") == 0 and locks.lock("resource", 10_000)
