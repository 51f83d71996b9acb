"""django-redis as Django's cache and session store: patterns, locks, counters, expiry."""

import os

import django
from django.conf import settings

cache_settings = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": f"redis://127.0.0.1:{os.environ['PORT']}/4",
    "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
}
settings.configure(
    CACHES={"default": cache_settings},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions"],
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache  # noqa: E402

cache.set_many({f"page:{n}": {"n": n} for n in range(100)})
cache.set("other", "stays", timeout=60)
assert cache.get("page:42") == {"n": 42} and 0 < cache.ttl("other") <= 60
assert len(list(cache.iter_keys("page:*"))) == 100
assert cache.delete_pattern("page:*") == 100 and cache.get("page:42") is None and cache.get("other") == "stays"
assert cache.add("once", 1) and not cache.add("once", 2)
assert cache.get_or_set("count", 10) == 10 and cache.incr("count") == 11 and cache.decr("count", 2) == 9
assert cache.touch("count", 5) and cache.persist("other") and cache.ttl("other") is None

with cache.lock("job", timeout=10):
    assert not cache.lock("job", timeout=10).acquire(blocking=False)
again = cache.lock("job", timeout=10)
assert again.acquire(blocking=False) and again.extend(5)
again.release()

session = SessionStore()
session["user"] = 7
session.save()
assert SessionStore(session.session_key)["user"] == 7
session.delete()
assert not SessionStore().exists(session.session_key)
