"""redis-py itself in both protocols: pipelines, WATCH, pub/sub, scripts, locks, streams, a cached client."""

import os

import redis

port = int(os.environ["PORT"])
for protocol in (2, 3):
    r = redis.Redis(port=port, db=5, protocol=protocol, decode_responses=True, client_name="test")
    r.flushdb()
    assert r.client_getname() == "test" and int(r.client_info()["resp"]) == protocol

    def double(pipe):
        n = int(pipe.get("n") or 21)
        pipe.multi()
        pipe.set("n", 2 * n)

    assert r.transaction(double, "n") == [True] and r.get("n") == "42"
    with r.pipeline() as pipe:
        answers = pipe.hset("h", mapping={"a": 1, "b": 2}).hgetall("h").zadd("z", {"m": 1.5}).zscore("z", "m").execute()
    assert answers == [2, {"a": "1", "b": "2"}, 1, 1.5], answers

    channel = r.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe("news.*")
    channel.get_message(timeout=1)
    assert r.publish("news.today", "hello") == 1
    heard = channel.get_message(timeout=5)
    assert heard["type"] == "pmessage" and heard["data"] == "hello", heard
    channel.close()

    assert r.register_script("return {KEYS[1], ARGV[1]}")(keys=["k"], args=["v"]) == ["k", "v"]
    with r.lock("lock", timeout=5) as lock:
        assert lock.owned() and lock.reacquire()
    entry = r.xadd("s", {"field": "value"})
    r.xgroup_create("s", "g", id="0")
    assert r.xreadgroup("g", "me", {"s": ">"}, count=1), "an entry for the group"
    assert r.xack("s", "g", entry) == 1
    assert sorted(r.scan_iter(match="*", count=2)) == ["h", "n", "s", "z"]
    assert r.info("server")["redis_version"] and r.config_get("maxmemory") and r.memory_usage("h")

if tuple(map(int, redis.Redis(port=port).info("server")["redis_version"].split("."))) < (7, 4):
    raise SystemExit(0)  # redis-py caches with servers from 7.4 on
cached = redis.Redis(port=port, db=5, protocol=3, cache_config=redis.cache.CacheConfig(), decode_responses=True)
assert cached.get("n") == "42" and cached.get("n") == "42" and len(cached.get_cache().collection) == 1
redis.Redis(port=port, db=5).set("n", "changed")
assert cached.get("n") == "changed", "the server told that the key changed"
