//! Keyspace notifications: what happens to keys, published as messages for those who asked for it
//! with `notify-keyspace-events`.

use super::{Context, Shared};
use crate::{
    config::{KeyspaceEvents, Settings},
    keyspace::{EffectKind, Effects},
};

/// What each effect is called, and the class it belongs to.
const EFFECTS: [(EffectKind, KeyspaceEvents, &str); 6] = [
    (EffectKind::Expired, KeyspaceEvents::EXPIRED, "expired"),
    (EffectKind::Evicted, KeyspaceEvents::EVICTED, "evicted"),
    (EffectKind::New, KeyspaceEvents::NEW, "new"),
    (EffectKind::Missed, KeyspaceEvents::KEY_MISS, "keymiss"),
    (EffectKind::FieldsExpired, KeyspaceEvents::HASH, "hexpired"),
    (EffectKind::Emptied, KeyspaceEvents::GENERIC, "del"),
];

/// Whether anything at all is published for events of this class.
fn is_published(events: KeyspaceEvents, class: KeyspaceEvents) -> bool {
    events.contains(class) && events.intersects(KeyspaceEvents::KEYSPACE | KeyspaceEvents::KEYEVENT)
}

/// Has the keyspace keep the effects that these settings publish.
pub(super) fn want(effects: &Effects, settings: &Settings) {
    let events = settings.notify_keyspace_events;
    let kinds: Vec<EffectKind> =
        EFFECTS.iter().filter(|(_, class, _)| is_published(events, *class)).map(|(kind, ..)| *kind).collect();
    effects.want(&kinds);
}

impl Shared {
    fn publish_event(&self, events: KeyspaceEvents, class: KeyspaceEvents, event: &str, db: usize, key: &[u8]) {
        if !events.contains(class) {
            return;
        }
        if events.contains(KeyspaceEvents::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, event.as_bytes());
        }
        if events.contains(KeyspaceEvents::KEYEVENT) {
            self.pubsub.publish(format!("__keyevent@{db}__:{event}").as_bytes(), key);
        }
    }

    /// Publishes what has happened to keys on its own: after each command, and by the cron.
    #[inline]
    pub fn publish_effects(&self) {
        if self.keyspace.effects().any() {
            self.publish_all_effects();
        }
    }

    #[cold]
    fn publish_all_effects(&self) {
        self.keyspace.effects().drain(&mut |effect| {
            let events = self.config.current().notify_keyspace_events;
            if let Some((_, class, event)) = EFFECTS.iter().find(|(kind, ..)| *kind == effect.kind) {
                self.publish_event(events, *class, event, effect.db, &effect.key);
            }
        });
    }
}

impl Context<'_> {
    /// An event of strings.
    #[inline]
    pub fn notify_string(&mut self, event: &str, key: &[u8]) {
        self.notify(KeyspaceEvents::STRING, event, key);
    }

    /// An event of keys of any type.
    #[inline]
    pub fn notify_generic(&mut self, event: &str, key: &[u8]) {
        self.notify(KeyspaceEvents::GENERIC, event, key);
    }

    /// Publishes that `event` has happened to a key of the selected database.
    #[inline]
    pub fn notify(&mut self, class: KeyspaceEvents, event: &str, key: &[u8]) {
        self.notify_in(self.client.db, class, event, key);
    }

    /// Publishes that `event` has happened to a key of database `db`.
    #[inline]
    pub fn notify_in(&mut self, db: usize, class: KeyspaceEvents, event: &str, key: &[u8]) {
        let events = self.client.settings.notify_keyspace_events;
        if is_published(events, class) {
            // What the command met on its way came first.
            self.shared.publish_effects();
            self.shared.publish_event(events, class, event, db, key);
        }
    }
}
